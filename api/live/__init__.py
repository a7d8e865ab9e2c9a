"""The live stream in this process: a hub for each listening user, the order of facts and tokens, its cursors."""

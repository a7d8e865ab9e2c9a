"""The `microcos` command: a composition root above all the others. One file a command, imported when it is called."""

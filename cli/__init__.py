"""The `microcos` command: a composition root above all the others. One file a command, imported when it is called.

Beside them what several commands share, and the makers of two pages of the contract, `asyncapi` and `openapi`.
"""

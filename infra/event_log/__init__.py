"""The event log on Postgres: appended in groups, followed by its tail."""

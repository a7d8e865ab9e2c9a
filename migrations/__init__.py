"""The database's schema, step by step. Alembic owns every table; nothing else runs DDL, rebuilds of views excepted."""

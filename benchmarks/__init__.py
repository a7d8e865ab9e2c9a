"""Every figure that we claim, measured beside its ceiling in the same run. `python -m benchmarks` prints the table.

Part of no suite: a time is reported here and asserted nowhere. See README.md for how to read it.
"""

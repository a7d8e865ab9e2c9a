"""The read side: tables that are a pure function of the log, kept by one runner and rebuilt beside the live ones.

One file a view (its tables, and what each event changes), its queries beside it in `…_queries.py`; `projector.py` keeps
them, `rebuild.py` builds the next, `verify.py` compares them with a fold. No rule of the write side may rest on a view:
it may lag.
"""

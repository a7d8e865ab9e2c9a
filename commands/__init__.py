"""The write side: what may happen. One file a feature; `decide.py` is the one match over all of them, `handle.py`
loads, decides and appends. Deciders are pure: time, ids and limits come in a `CommandContext`. What the assistant does
by chat is read in `arguments.py` and the `…_deeds.py` files; `phrases/` reads time as people say it.
"""

"""The rules of Micro CoS, pure: standard library only, no clock, no ids, no I/O.

    events.py   every fact that can be in a user's stream, past tense; event_types.py: their stable names and schemas
    brain.py    `Brain`, the folded state of one user
    evolve.py   `evolve(brain, fact)`: the state after one more fact
    values.py   the objects that events and state carry: tasks, memories, replies, usage
    text.py     text as its reader sees it; local_times.py: instants as clocks on walls show them
    shapes.py   objects as a client sees them; frames.py: the frames of the stream
    limits.py   every bound that no operator may change
    errors.py   what may go wrong, as one tree
    ports.py    what the layers above expect of the outside world

A command is judged in `commands/` against a `Brain`; what it yields are events; only events change a `Brain`.
"""

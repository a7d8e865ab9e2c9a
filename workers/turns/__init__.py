"""What a turn does beside, or in place of, the model's stream: one file for each intent that has steps of its own.

turn.py      what they work with          plan.py       the plan of a day, asked for as JSON and kept
flights.py   a search, ranked and kept    flight_search.py   from a call of the tool to what is to be searched for
"""

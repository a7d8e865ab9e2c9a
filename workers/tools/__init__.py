"""Heavy tools: what a worker asks of other programs, only when a user's own words ask for it.

flights.py          the port `FlightSearch`, who is behind it    ranking.py     which offer is best, and why
flight_adapters.py  how each kind of server is asked and read    query.py       what may be asked
mcp_client.py       one session with a server, its tools pinned  errors.py      what may go wrong
flights_server.py   our own server, over timetable.py            airports.py    which airports a name means,
                                                                 with cities.py

Background modules may not import any of it; pyproject.toml holds that.
"""

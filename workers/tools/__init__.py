"""Heavy tools: what a worker asks of other programs, only when a user's own words ask for it.

flights.py         the port `FlightSearch`, and who is behind it         ranking.py    which offer is best, and why
flight_adapters.py how each kind of server is asked and read            airports.py   which airports a name means
mcp_client.py      one session with an MCP server, its tools pinned     cities.py     what the table of airports lacks
flights_server.py  our own server, over timetable.py                    errors.py     what may go wrong

Background modules may not import any of it; pyproject.toml holds that.
"""

"""How the outside world is reached: Postgres, NATS, files, speech, tool servers, time, randomness, the environment.

Has no routes, and calls no language model.
"""

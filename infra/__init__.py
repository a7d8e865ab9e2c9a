"""The only place that knows Postgres, NATS, time, randomness and the environment. Knows nothing of HTTP or models."""

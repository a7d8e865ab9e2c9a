"""NATS: one connection, the streams that we need, wake-ups, live tokens and the publisher of facts."""

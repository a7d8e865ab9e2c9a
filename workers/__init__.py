"""What reacts: the relay, the consumer and the replies it writes, models, tools and background jobs.

Roles are composed here from `commands`, `projections` and `infra`; nothing here is imported by them.
"""

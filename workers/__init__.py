"""What reacts: the relay, the consumer and the replies it writes, models, tools and background jobs.

A chat turn is here (`consumer`, `reply`, `answer`, `acting`) and stands on the folders: `understanding` of the user's
words, `prompts`, `privacy`, `llm`, `tools`, and `turns` for what needs more than one call. `speech` is its own role.
Roles are composed here from `commands`, `projections` and `infra`; nothing here is imported by them.
"""

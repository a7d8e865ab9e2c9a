"""Keys that text is sealed under: who a user is, what is stored of keys, and how a deleted one is forgotten."""

"""What the model is told: read from the user's stream, chosen, trimmed to what fits, and written out."""

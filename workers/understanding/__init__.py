"""What the user's own words say, by rules: what a message is about, which days and places, and what may be done."""

"""Personal data hidden from model providers: found, replaced by placeholders, and put back right behind the model."""

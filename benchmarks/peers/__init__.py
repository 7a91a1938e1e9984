"""Other servers' programs that serve the tiny model; each runs in an environment of its own."""

"""PROGRAMS that the examples run: the standard library and $PORT, nothing of Relight."""

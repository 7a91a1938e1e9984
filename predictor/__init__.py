"""WORK. Load a model, answer requests, report load. Knows no cluster."""

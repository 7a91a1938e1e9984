"""CONTROL PATH, deciding. How many replicas, and why."""

"""THINGS TO RUN. Each is run by an end-to-end test."""

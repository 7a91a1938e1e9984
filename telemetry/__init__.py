"""WHAT OPERATORS SEE. Called only from shells."""

"""VOCABULARY. Types, defaults, validation, names. Pure; imports none of our folders."""

"""CLAIMS ABOUT SPEED. Each states its command, machine and result."""

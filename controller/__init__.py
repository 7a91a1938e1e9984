"""CONTROL PATH, converging. Make the world match what users wrote."""

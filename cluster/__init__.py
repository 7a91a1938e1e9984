"""HOW TO REACH AN API SERVER, anyone's."""

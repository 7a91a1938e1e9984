"""THE COMMAND LINE. What a person types: up, deploy, get, invoke, traffic, logs, delete."""

"""REQUEST PATH. Hold a request until a replica has room, then forward it."""

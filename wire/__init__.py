"""BYTES. HTTP/1.1 server and client protocols, limits, back-pressure."""

"""The other systems, each set up as its own documentation advises, for the same work."""

"""Training of the flat, super and sub networks."""

"""Two-stage inference with one resident network."""

"""Data sets by name, and the batches made from them."""

"""Superclass maps: which labels belong to which superclass."""

"""Exact differences between networks, and their compressed form on disk."""

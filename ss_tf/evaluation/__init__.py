"""Accuracy, sizes and the report."""

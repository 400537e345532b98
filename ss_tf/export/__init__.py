"""Networks of a run in forms that other programs use."""

"""Systems of two-stage inference, each in a process of its own, and what each of them takes."""

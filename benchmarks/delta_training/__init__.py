"""Ways to train sub networks with small deltas, and what each of them reaches."""

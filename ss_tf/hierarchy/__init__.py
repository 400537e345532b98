"""Which labels belong to which superclass, and ImageNet's classes grouped by WordNet."""

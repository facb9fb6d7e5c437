"""States whose arrays are packed into a vector each, for trees of many small arrays."""

"""The reference: exact answers in ball arithmetic, and the bound of each step and element."""

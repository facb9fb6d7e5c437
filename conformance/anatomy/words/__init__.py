"""What to say of the first part of an Adam that is not as claimed: the area, the rule, what was measured."""

"""A run held to a claim: the verdict, which Adam it is, and why it failed."""

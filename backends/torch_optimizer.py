"""Where a pickled optimizer of before 0.1 looks for its class."""

from adamcore.backends.torch.optimizer import Adam, AdamW

__all__ = ["Adam", "AdamW"]

"""``Adam`` and ``AdamW`` for PyTorch, each a ``torch.optim.Optimizer`` (docs/torch.md)."""

from adamcore.backends.torch.optimizer.optimizer import Adam, AdamW

__all__ = ["Adam", "AdamW"]

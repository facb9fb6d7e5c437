"""``Adam`` and ``AdamW``, each a ``torch.optim.Optimizer`` (docs/torch.md)."""

from adamcore.backends.torch.optimizer.optimizer import Adam, AdamW

__all__ = ["Adam", "AdamW"]

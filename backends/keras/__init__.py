"""Keras 3: ``Adam`` and ``AdamW`` as Keras optimizers (docs/keras.md)."""

from adamcore.backends.keras.optimizer import Adam, AdamW

__all__ = ["Adam", "AdamW"]

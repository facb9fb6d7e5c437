"""``Adam`` and ``AdamW`` for Keras 3 (docs/keras.md)."""

from adamcore.backends.keras.optimizer import Adam, AdamW

__all__ = ["Adam", "AdamW"]

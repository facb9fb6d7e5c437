"""Where a pickled `NamedState` of before 0.1 looks for its class."""

from adamcore.backends.states.named import Moments, NamedState

__all__ = ["Moments", "NamedState"]

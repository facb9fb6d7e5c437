"""Optimizer states converted between frameworks, dialects and files (docs/moving.md).

Every conversion goes through :class:`NamedState`: moments and clocks in NumPy, under the names of their
parameters, and the Adam that made them.  A function ``from_*`` returns a NamedState; a function ``to_*``
takes one.
"""

from adamcore.backends.states.adam import from_adam, to_adam
from adamcore.backends.states.files import load, save
from adamcore.backends.states.fitting import fit
from adamcore.backends.states.keras import from_keras, to_keras
from adamcore.backends.states.layouts import LAYOUTS, from_flat, to_flat
from adamcore.backends.states.named import Moments, NamedState
from adamcore.backends.states.optax import from_optax, to_optax
from adamcore.backends.states.torch import from_torch, to_torch

__all__ = [
    "LAYOUTS",
    "Moments",
    "NamedState",
    "fit",
    "from_adam",
    "from_flat",
    "from_keras",
    "from_optax",
    "from_torch",
    "load",
    "save",
    "to_adam",
    "to_flat",
    "to_keras",
    "to_optax",
    "to_torch",
]

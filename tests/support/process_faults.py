"""Optax factories that are right on the devices of one process, and wrong on those of several."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import optax

Update = Callable[[Any, Any], Any]


def before_adamw(update: Update) -> Callable[..., optax.GradientTransformation]:
    """Return a factory of AdamW that sees the gradients that ``update(grads, params)`` returns."""

    def factory(
        learning_rate: float,
        b1: float = 0.9,
        b2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 1e-4,
    ) -> optax.GradientTransformation:
        first = optax.GradientTransformation(
            lambda params: optax.EmptyState(),
            lambda grads, state, params=None: (update(grads, params), state),
        )
        return optax.chain(first, optax.adamw(learning_rate, b1, b2, eps, weight_decay=weight_decay))

    return factory


def raised(grads: Any, params: Any) -> Any:
    if jax.process_index() == 1:
        raise ValueError("this process has no queue")
    return grads


def init_reads(params: Any) -> Any:
    """Return no state, after a look at the values of the parameters, of which a process has a part."""
    for p in params:
        np.asarray(p)
    return optax.EmptyState()


scaled = before_adamw(lambda grads, params: [g * (1 + jax.process_index()) for g in grads])
"""Each process scales the gradients by its own number."""
raises = before_adamw(raised)
"""The second process raises an error."""


def reads(
    learning_rate: float, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, weight_decay: float = 1e-4
) -> optax.GradientTransformation:
    """AdamW that looks at the values of all parameters where it makes its state."""
    mine = optax.adamw(learning_rate, b1, b2, eps, weight_decay=weight_decay)
    return optax.chain(optax.GradientTransformation(init_reads, lambda g, s, p=None: (g, s)), mine)

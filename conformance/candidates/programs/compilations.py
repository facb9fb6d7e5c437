"""How many programs the frameworks that are loaded have compiled so far.

JAX announces each compilation through ``jax.monitoring``; ``torch.compile`` counts the graphs that it makes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from typing import Any

EVENT = "/jax/core/compile/backend_compile_duration"  #: what JAX announces when XLA compiles a program


announced = 0  #: what is added to the programs that the frameworks have counted


def count_one(before: int) -> None:
    """Count one program for all that were compiled, or shared with others, since the count was ``before``."""
    global announced
    announced += before + 1 - count()


def count() -> int:
    """Return the number of programs compiled so far; only differences of it have a meaning."""
    total = announced
    jax = sys.modules.get("jax")
    if jax is not None and hasattr(jax, "monitoring"):
        total += listener(jax)()
    utils = sys.modules.get("torch._dynamo.utils")
    if utils is not None:
        total += int(utils.counters["stats"]["unique_graphs"])
    return total


def switch_off() -> None:
    """Let torch.compile compile nothing more: its functions run as they are written."""
    import torch

    torch.compiler.set_stance("force_eager")
    global _off
    _off = True


def is_off() -> bool:
    """True if :func:`switch_off` was called."""
    return _off


_off = False


@cache
def listener(jax: Any) -> Callable[[], int]:
    """Begin to count JAX's compilations, and return a function that tells their number."""
    seen = 0

    def on_event(name: str, seconds: float, **facts: Any) -> None:
        nonlocal seen
        seen += name == EVENT

    jax.monitoring.register_event_duration_secs_listener(on_event)
    return lambda: seen

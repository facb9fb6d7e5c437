"""PyTorch's Dynamo, loaded once something is compiled.

A step of ``torch.optim`` imports Dynamo to end a graph, though there is none.  That takes as long as to
import the rest of PyTorch, and longer than all the runs of an identification.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

NAME = "torch._dynamo"
DISABLED = "__dynamo_disable"  #: the attribute in which PyTorch keeps what Dynamo made of a function


class LaterDynamo(ModuleType):
    """What stands for Dynamo until something is asked of it that an uncompiled step does not need."""

    def __init__(self) -> None:
        super().__init__(NAME)
        self._left: list[Callable[..., Any]] = []  #: functions that are left as they are so far

    def graph_break(self, *args: Any, **named: Any) -> None:
        """Do nothing: there is no graph."""

    def disable(self, fn: Any = None, recursive: bool = True, **named: Any) -> Any:
        """Return a function of PyTorch as it is; a candidate's own is given to Dynamo."""
        if not getattr(fn, "__module__", "").startswith("torch."):
            return self._load().disable(fn, recursive, **named)
        self._left.append(fn)
        return fn

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__path__":
            raise AttributeError(name)
        return getattr(self._load(), name)

    def _load(self) -> ModuleType:
        """Return Dynamo, which PyTorch asks anew for each function that was left as it is."""
        if sys.modules.get(NAME) is self:
            del sys.modules[NAME]
        for fn in self._left:
            if getattr(fn, DISABLED, None) is fn:
                delattr(fn, DISABLED)
        self._left.clear()
        return importlib.import_module(NAME)


def load_dynamo_later() -> None:
    """Put Dynamo off if PyTorch is loaded without it."""
    if "torch" in sys.modules and NAME not in sys.modules:
        sys.modules[NAME] = LaterDynamo()

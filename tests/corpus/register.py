"""The corpus as a table: for each Adam, what it claims to be and what is wrong with it.

A decorator above the code of an Adam enters it; the first line of its docstring says what it does.
Labels say what is broken in the code.  They are never taken from what the suite says.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from adamcore.conformance.settings import DTYPES

Kind = Literal["right", "wrong", "equivalent", "other"]
Made = TypeVar("Made", bound=Callable[..., Any])


@dataclass(frozen=True)
class Item:
    """One Adam of the corpus.

    Attributes:
        made: the class or the factory.
        kind: "right" written in another way; "wrong" in one rule; "equivalent": changed, but the same
            function of real numbers; "other": no Adam at all, to be identified as none.
        areas: what is broken; more than one where two names describe the same function.
        rule: the clause of docs/spec.md.
        like: the real case it is modelled on, if there is one.
        why: what makes an equivalent one equivalent.
        claim: the dialect it is held to.
        options: and that dialect's options.
    """

    made: Callable[..., Any]
    kind: Kind
    file: str
    about: str
    areas: tuple[str, ...] = ()
    rule: str = ""
    like: str = ""
    why: str = ""
    claim: str = "torch.AdamW"
    options: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(self.made.__name__)

    @property
    def dtypes(self) -> tuple[str, ...]:
        """The dtypes in which it is scored."""
        return tuple(getattr(self.made, "dtypes", DTYPES)) if self.is_narrow else DTYPES

    @property
    def is_narrow(self) -> bool:
        """Whether its parameters have 16 bits."""
        return self.file.startswith("low_precision")

    @property
    def held_out(self) -> bool:
        """Whether it was written to measure the diagnosis, and nothing was fitted to it."""
        return "blind_" in self.file or self.file.startswith("held_out")

    @property
    def generated(self) -> bool:
        """Whether a generator has drawn its order of evaluation."""
        return self.file.endswith("_generated.py")

    @property
    def target(self) -> str:
        """What ``adamcore check`` is given for it, from the root of the repository."""
        kernel = "kernel:" if self.file.endswith("_kernels.py") else ""
        return f"{kernel}tests/corpus/{self.file}:{self.name}"

    @property
    def library(self) -> str:
        return library_of(self.file)


def library_of(file: str) -> str:
    """Return the library that a module of the corpus needs: NumPy, unless its name has another one."""
    words = file.removesuffix(".py").split("_")
    return next((word for word in words if word in ("torch", "jax")), "numpy")


ITEMS: dict[str, Item] = {}  #: by target


def enter(made: Made, kind: Kind, claim: str, options: dict[str, str] | None, **facts: Any) -> Made:
    file = Path(sys.modules[made.__module__].__file__ or "").name
    about = inspect.cleandoc(made.__doc__ or "").splitlines()
    claim = claim or getattr(made, "dialect", "torch.AdamW")
    options = dict(getattr(made, "options", {})) if options is None else options
    item = Item(
        made, kind, file, about[0].rstrip(".") if about else "", claim=claim, options=options, **facts
    )
    ITEMS[item.target] = item
    return made


def wrong(
    areas: str, rule: str, *, like: str = "", claim: str = "", options: dict[str, str] | None = None
) -> Callable[[Made], Made]:
    """Enter an Adam with one rule broken; ``areas`` is a word, or several that mean the same here."""

    def entered(made: Made) -> Made:
        return enter(made, "wrong", claim, options, areas=tuple(areas.split()), rule=rule, like=like)

    return entered


def right(*, claim: str = "", options: dict[str, str] | None = None) -> Callable[[Made], Made]:
    """Enter a right Adam that is written in another way."""
    return lambda made: enter(made, "right", claim, options)


def equivalent(why: str, *, claim: str = "", options: dict[str, str] | None = None) -> Callable[[Made], Made]:
    """Enter an Adam that looks wrong and is not."""
    return lambda made: enter(made, "equivalent", claim, options, why=why)


def other(
    *, like: str = "", claim: str = "", options: dict[str, str] | None = None
) -> Callable[[Made], Made]:
    """Enter an optimizer that is no Adam."""
    return lambda made: enter(made, "other", claim, options, like=like)

"""The call of a kernel: which argument is given what, and what is kept of that which it returns.

A *slot* is the state of one parameter.  A kernel of lists gets several slots in a call, any other kernel one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from adamcore.coefficients import Host
from adamcore.conformance.candidates.own import Library
from adamcore.conformance.candidates.signatures import Parameter, Signature, role_of
from adamcore.conformance.types import FloatArray

STATE = ("p", "m", "v", "v_max")
TRIED = {
    "lr": 0.5, "b1": 0.5, "b2": 0.75, "eps": 0.125, "eps_root": 0.0, "weight_decay": 0.125,
    "momentum_decay": 0.004, "lr_max": 0.5,
}  # fmt: skip
"""The hyperparameters of a trial; all that a kernel may skip when it is 0 is not 0, if it can be so."""
Form = Literal["number", "array"]
IMPLIED = {"bc1": "b1", "b1_power": "b1", "bc2": "b2", "bc2_sqrt": "b2", "b2_power": "b2"}
"""What is formed of a beta and the clock, and of which."""


class Settings:
    """All hyperparameters of a call, each as an attribute; it keeps which ones were read."""

    def __init__(self, values: Mapping[str, Any], read: set[str]) -> None:
        self._values, self._read = values, read

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name not in self._values:
            raise AttributeError(f"no setting {name!r}; there are {', '.join(self._values)}")
        self._read.add(name)
        return self._values[name]


@dataclass
class Slot:
    """The state of one parameter, in the arrays of a library."""

    p: Any
    m: Any
    v: Any
    v_max: Any
    updates: int = 0  #: updates made so far
    clock: Any = None  #: the kernel's own clock, if it ticks it


@dataclass(frozen=True)
class Request:
    """What a step asks for beside the arrays."""

    hyper: Mapping[str, float]
    scale: float | None = None
    found_inf: bool = False


@dataclass
class Convention:
    """How one kernel is called.

    Attributes:
        function: the kernel.
        signature: its arguments.
        library: whose arrays it takes.
        clock: the form of t.
        flags: the form of the loss scale and of ``found_inf``.
        returns: what the arrays that it returns are; empty if it writes to those that it is given.
        ticks: whether it counts its clock itself.
        begins: the clock before the first update, where it ticks.
        read: the settings that it read, if it takes all of them as one argument.
    """

    function: Callable[..., Any]
    signature: Signature
    library: Library
    clock: Form = "number"
    flags: Form = "number"
    returns: tuple[str, ...] = ()
    ticks: bool = False
    begins: int = 0
    read: set[str] = field(default_factory=set)

    def slot(self, p: FloatArray, start: Mapping[str, FloatArray] | None = None, t: int = 0) -> Slot:
        """Return a slot with these values; ``t`` updates were made before."""
        zero = np.zeros_like(p)
        values = {name: zero.copy() for name in ("m", "v", "v_max")} | dict(start or {})
        made = Slot(self.library.array(p), **{n: self.library.array(x) for n, x in values.items()}, updates=t)
        if self.ticks:
            made.clock = self.as_form(t + self.begins, self.clock)
        return made

    def as_form(self, value: float, form: Form) -> Any:
        if form == "number":
            return value
        return self.library.array(np.array(value, dtype=np.float32))

    @property
    def keeps_maximum(self) -> bool:
        """Whether v_max has a meaning: there is such an argument, and no flag that switches it off."""
        switched = any(p.name == "amsgrad" for p in self.signature.parameters)
        return not switched or bool(self.signature.options.get("amsgrad"))

    @property
    def takes_clocks(self) -> bool:
        """Whether a call is given a clock for each array, and nothing that is formed of one clock for all."""
        roles = self.signature.roles
        each = [name.endswith("s") for name, role in roles.items() if role == "t"]
        return self.signature.of_lists and each == [True] and not {"h", *IMPLIED} & set(roles.values())

    def step(self, slots: Sequence[Slot], grads: Sequence[Any], request: Request) -> Any:
        """Call the kernel on these slots, and keep what it returns.

        They have one clock, unless the kernel is given one for each.
        """
        positional, named = self.arguments(slots, grads, request)
        result = self.function(*positional, **named)
        if self.returns:
            self.keep(slots, self.parts(result))
        if not request.found_inf:
            for slot in slots:
                slot.updates += 1
        return result

    def arguments(
        self, slots: Sequence[Slot], grads: Sequence[Any], request: Request
    ) -> tuple[list[Any], dict[str, Any]]:
        """Return the arguments of a call."""
        positional: list[Any] = []
        named: dict[str, Any] = {}
        by_name = False
        for p in self.signature.parameters:
            role = self.signature.roles.get(p.name)
            value = (
                self.signature.values.get(p.name)
                if role is None
                else self.value(role, p, slots, grads, request)
            )
            if value is OMITTED:
                by_name = True  # what comes after it has to be named
            elif p.by_name or by_name:
                named[p.name] = value
            else:
                positional.append(value)
        return positional, named

    def value(
        self, role: str, p: Parameter, slots: Sequence[Slot], grads: Sequence[Any], request: Request
    ) -> Any:
        """Return what the argument ``p`` is given; :data:`OMITTED` leaves it at its default."""
        hyper, t = request.hyper, slots[0].updates + 1
        if role == "v_max" and not self.keeps_maximum:
            return OMITTED if not p.required else [] if self.signature.of_lists else slots[0].v_max
        if role in STATE:
            return self.each([getattr(slot, role) for slot in slots])
        if role == "g":
            return self.each(list(grads))
        if role == "t":
            return self.clock_value(p, slots)
        if role == "betas":
            return hyper["b1"], hyper["b2"]
        if role == "n":
            return int(np.prod(slots[0].p.shape))
        if role == "h":
            return Settings(self.all_settings(request, t), self.read)
        if role in ("scale", "inv_scale", "found_inf"):
            idle = request.scale is None and not request.found_inf
            if not p.required and (idle or (request.scale is None and role != "found_inf")):
                return OMITTED
            return self.all_settings(request, t)[{"scale": "grad_scale"}.get(role, role)]
        return hyper[role] if role in hyper else self.all_settings(request, t)[role]

    def clock_value(self, p: Parameter, slots: Sequence[Slot]) -> Any:
        """Return the clock: the number of the update, or the kernel's own clock if it ticks it."""
        own = [slot.clock if self.ticks else self.as_form(slot.updates + 1, self.clock) for slot in slots]
        return own if self.signature.of_lists and p.name.endswith("s") else own[0]

    def all_settings(self, request: Request, t: int) -> dict[str, Any]:
        """Return every setting by the name that it has as an attribute of ``h``."""
        hyper, scale = request.hyper, 1.0 if request.scale is None else request.scale
        c1, c2 = (Host().complement_power(hyper[b], t) for b in ("b1", "b2"))
        return {
            **hyper,
            "bc1": c1,
            "bc2": c2,
            "bc2_sqrt": math.sqrt(c2),
            "b1_power": hyper["b1"] ** t,
            "b2_power": hyper["b2"] ** t,
            "grad_scale": self.as_form(scale, self.flags),
            "inv_scale": self.as_form(1.0 / scale, self.flags),
            "found_inf": self.as_form(float(request.found_inf), self.flags),
        }

    def each(self, values: list[Any]) -> Any:
        return values if self.signature.of_lists else values[0]

    def parts(self, result: Any) -> dict[str, Any]:
        """Return what a call returned, by role."""
        if isinstance(result, Mapping):
            return {role_of(name): value for name, value in result.items()}
        parts = result if isinstance(result, (tuple, list)) and not self.is_one(result) else (result,)
        return dict(zip(self.returns, parts, strict=True))

    def is_one(self, result: Any) -> bool:
        """True if a list that a kernel of lists returned is the list of its parameters."""
        return self.signature.of_lists and bool(len(result)) and hasattr(result[0], "shape")

    def keep(self, slots: Sequence[Slot], parts: Mapping[str, Any]) -> None:
        """Keep the arrays that a call returned."""
        for role, value in parts.items():
            for slot, mine in zip(slots, value if self.signature.of_lists else [value], strict=True):
                if role == "t":
                    slot.clock = mine
                elif role in STATE:
                    setattr(slot, role, mine if hasattr(mine, "shape") else np.asarray(mine))

    def updates_of(self, slot: Slot) -> int:
        """Return the number of updates that a slot's clock tells."""
        if not self.ticks:
            return slot.updates
        clock = slot.clock if isinstance(slot.clock, (int, float)) else self.library.numpy(slot.clock)
        return int(np.asarray(clock).reshape(())) - self.begins


class Omitted:
    """The value of an argument that is left at its default."""


OMITTED = Omitted()

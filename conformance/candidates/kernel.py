"""The adapter of kernels: functions that make one step of one array, or of lists of arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from adamcore.conformance.candidates.adapter.arguments import (
    REQUIRED,
    SPELLINGS,
    complete_hyper,
    served_probe,
)
from adamcore.conformance.candidates.adapter.base import (
    CandidateInfo,
    Stepper,
    UnsupportedProbe,
    laid_out,
    same_bits,
    unsupported_reason,
)
from adamcore.conformance.candidates.adapter.buffers import GradientBuffers, without_scale
from adamcore.conformance.candidates.adapter.defaults import own_defaults
from adamcore.conformance.candidates.adapter.runs import run_probe
from adamcore.conformance.candidates.calls import IMPLIED, STATE, Convention, Request, Slot
from adamcore.conformance.candidates.conventions import find_convention
from adamcore.conformance.candidates.kernel_options import Kernel, libraries_of
from adamcore.conformance.candidates.optax import MOST_COMPILED
from adamcore.conformance.candidates.own import Jax
from adamcore.conformance.candidates.signatures import name_of, read_signature, require
from adamcore.conformance.errors import CandidateError
from adamcore.conformance.types import FloatArray, Moments, Probe, Run, Start, Step

CONTIGUOUS = ("C", "offset", "readonly")  #: layouts that every kernel is given


class KernelCandidate:
    """Runs a kernel as an optimizer does: keeps its moments, counts its clock, and calls it in each step."""

    def __init__(
        self,
        found: Any,
        settings: Mapping[str, str],
        device: str | None,
        required: Sequence[str] = REQUIRED,
    ) -> None:
        self.kernel = found if isinstance(found, Kernel) else Kernel(found)
        function = self.kernel.function
        if type(function).__module__.startswith("triton"):
            raise CandidateError(
                f"{name_of(function)} is a Triton kernel, which needs a grid: name the Python function that "
                "launches it, or adamcore.conformance.kernel(lambda p, g, m, v, t, h: "
                f"{name_of(function)}[grid](p, g, m, v, ...))"
            )
        self.signature = read_signature(function, settings, self.kernel.signature, required)
        self.libraries = libraries_of(self.kernel, device)
        self.known: dict[str, Convention | CandidateError] = {}
        self.convention = next(
            (x for dtype in self.kernel.dtypes if isinstance(x := self.in_dtype(dtype), Convention)), None
        ) or raised(self.known.values())
        read = {IMPLIED.get(name, name) for name in self.convention.read}
        if self.signature.takes("h"):
            require(self.signature, [name_of(function)], required, tuple(read))
        taken = {*self.signature.hyper, *self.signature.fixed, *read}
        self.lacks = tuple(name for name in SPELLINGS if name not in taken)

    def in_dtype(self, dtype: str) -> Convention | CandidateError:
        """Return how the kernel is called in a dtype, or why it cannot be."""
        if dtype not in self.known:
            if dtype not in self.kernel.dtypes:
                self.known[dtype] = CandidateError(f"it does not take {dtype}")
            else:
                try:
                    self.known[dtype] = find_convention(
                        self.kernel.function, self.signature, self.libraries, dtype, self.kernel.returns
                    )
                except CandidateError as error:
                    self.known[dtype] = error
        return self.known[dtype]

    @property
    def info(self) -> CandidateInfo:
        library = self.convention.library
        given = {parameter.name: parameter.default for parameter in self.signature.parameters}
        return CandidateInfo(
            "kernel",
            dialect=self.kernel.dialect or claimed_by_name(self.kernel.function, self.convention),
            lacks=self.lacks,
            fixed=self.signature.fixed,
            flushes=library.flushes or self.kernel.flushes_subnormals,
            device=library.device,
            names=self.signature.hyper,
            extra={name: repr(value) for name, value in self.signature.values.items()},
            claims_complex=False,
            defaults=own_defaults(given, self.signature.hyper),
        )

    def run(self, probe: Probe, dtype: str) -> Run:
        probe = served_probe(probe, self.lacks, self.signature.fixed)
        convention = self.in_dtype(dtype)
        if isinstance(convention, CandidateError):
            return Run(unsupported=str(convention))
        if reason := self.unsupported(probe):
            return Run(unsupported=reason)
        return run_probe(lambda variant: KernelStepper(self, convention, variant, dtype), probe)

    def unsupported(self, probe: Probe) -> str | None:
        """Return why the kernel cannot run a probe, or None."""
        if any(g is None for step in probe.steps for g in step.grads):
            return "a kernel gets no absent gradients: its caller leaves them out"
        if probe.is_complex:
            return "a kernel gets real arrays"
        if probe.dtypes:
            return "a kernel gets arrays of one dtype: its caller calls it for each"
        if not self.kernel.strided and probe.layout not in CONTIGUOUS:
            return "it does not say that it takes arrays that are not contiguous (strided=True)"
        compiled = self.convention.signature.of_lists and isinstance(self.convention.library, Jax)
        if compiled and len(probe.params) > MOST_COMPILED:
            return f"compiling a step of {len(probe.params)} arrays takes minutes"
        if probe.layout == "reversed" and not self.convention.library.negative_strides:
            return "torch has no negative strides"
        takes, read = self.signature.takes, self.convention.read
        return unsupported_reason(
            probe,
            lr="lr" not in self.lacks and "lr" not in self.signature.fixed,
            changes=True,
            groups=True,
            scale=takes("scale", "inv_scale") or bool({"grad_scale", "inv_scale"} & read),
            found_inf=takes("found_inf") or "found_inf" in read,
        )


class KernelStepper(Stepper):
    def __init__(
        self,
        candidate: KernelCandidate,
        convention: Convention,
        probe: Probe,
        dtype: str,
        slots: list[Slot] | None = None,
    ) -> None:
        self.candidate, self.convention, self.probe, self.dtype = candidate, convention, probe, dtype
        library = convention.library
        layout = "C" if probe.layout in ("readonly", "broadcast") else probe.layout
        self.slots = slots or [convention.slot(p) for p in self.cast(probe.params, layout)]
        hyper = complete_hyper(probe.hyper, candidate.lacks, candidate.signature.fixed)
        self.hypers = [hyper | dict(group) for group in probe.groups] or [hyper] * len(self.slots)
        self.gradients = GradientBuffers(
            probe, lambda g: library.array(laid_out(g, probe.layout)), library.refill, library.numpy
        )

    def begin(self, start: Sequence[Start]) -> None:
        if self.convention.clock == "array" and any(int(np.float32(s.t)) != s.t for s in start):
            raise UnsupportedProbe(f"its clock is an array of float32, which does not hold {start[0].t}")
        moments = {name: self.cast([getattr(s, name) for s in start]) for name in ("m", "v", "v_max")}
        self.slots = [
            self.convention.slot(p, {name: column[i] for name, column in moments.items()}, start[i].t)
            for i, p in enumerate(self.cast(self.probe.params))
        ]

    def resumed(self) -> Stepper:
        library = self.convention.library
        saved = [
            self.convention.slot(
                library.numpy(slot.p),
                {name: library.numpy(getattr(slot, name)) for name in STATE[1:]},
                self.convention.updates_of(slot),
            )
            for slot in self.slots
        ]
        again = KernelStepper(self.candidate, self.convention, self.probe, self.dtype, saved)
        again.hypers = self.hypers
        return again

    def place(self, params: Sequence[FloatArray]) -> None:
        for slot, p in zip(self.slots, params, strict=True):
            slot.p = self.convention.library.array(p)

    def clocks(self) -> list[int] | None:
        if not self.convention.ticks:
            return None  # its caller counts
        return [self.convention.updates_of(slot) for slot in self.slots]

    def moments(self) -> list[Moments | None] | None:
        library = self.convention.library
        return [Moments(slot.m, slot.v, slot.v_max).each(library.numpy) for slot in self.slots]

    def step(self, index: int, step: Step) -> tuple[list[Any], list[str]]:
        changes = {**({} if step.lr is None else {"lr": step.lr}), **(step.changes or {})}
        self.hypers = [{**hyper, **changes} for hyper in self.hypers] if changes else self.hypers
        library = self.convention.library
        grads = self.gradients.fill(self.cast(step.grads))
        before = [library.numpy(slot.p) for slot in self.slots]
        given = [slot.p for slot in self.slots]
        with np.errstate(all="ignore"):
            for those in self.calls():
                request = Request(self.hypers[those[0]], step.scale, step.found_inf)
                self.convention.step([self.slots[i] for i in those], [grads[i] for i in those], request)
        written = self.gradients.written(index, may_be=without_scale(step, self))
        if self.convention.returns:
            written += [
                f"parameter {i} in step {index}"
                for i, (p, old) in enumerate(zip(given, before, strict=True))
                if not same_bits(library.numpy(p), old)
            ]
        return [library.numpy(slot.p) for slot in self.slots], written

    def calls(self) -> Iterable[list[int]]:
        """Yield the parameters of each call: neighbours with the same hyperparameters.

        They have one clock, unless the kernel is given one for each.
        """
        if not self.convention.signature.of_lists:
            yield from ([i] for i in range(len(self.slots)))
            return
        those: list[int] = []
        any_clock = self.convention.takes_clocks
        for i, slot in enumerate(self.slots):
            same = not those or any_clock or slot.updates == self.slots[those[0]].updates
            if those and not (same and self.hypers[i] == self.hypers[those[0]]):
                yield those
                those = []
            those.append(i)
        if those:
            yield those


def raised(found: Iterable[Convention | CandidateError]) -> Convention:
    """Raise the first of these errors."""
    raise next(error for error in found if isinstance(error, CandidateError))


def claimed_by_name(function: Any, convention: Convention) -> str | None:
    """Return the claim in the name of a function, or None if there is none.

    An "adamw" claims torch.AdamW, and a kernel of lists is torch's Adam.  Kernels of JAX arrays get the clock
    as data and form their coefficients in float32, as optax does, whose Adams they claim.  The attribute
    ``dialect`` of the function goes before its name.
    """
    attribute = getattr(function, "dialect", None)
    if isinstance(attribute, str):
        return attribute
    name = name_of(function).lower()
    if isinstance(convention.library, Jax):
        return "optax.adamw" if "adamw" in name else "optax.adam"
    if "adamw" in name:
        return "torch.AdamW"
    return "torch.Adam" if convention.signature.of_lists and "adam" in name else None

"""An optimizer class as a candidate: what it claims, which probes it serves, and its runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Any

from adamcore.conformance.candidates.adapter.arguments import (
    REQUIRED,
    class_of,
    map_arguments,
    own_dialect,
    served_probe,
)
from adamcore.conformance.candidates.adapter.base import CandidateInfo, unsupported_reason
from adamcore.conformance.candidates.adapter.runs import run_probe
from adamcore.conformance.candidates.programs import compilations
from adamcore.conformance.candidates.torch.closures import needs_closure, takes_closure
from adamcore.conformance.candidates.torch.stepper import TorchStepper
from adamcore.conformance.candidates.torch.tensors import device_name, torch_device
from adamcore.conformance.types import Manner, Probe, Run

MANNERS: tuple[Manner, ...] = (
    "joining",
    "frozen",
    "used",
    "replaced",
    "vacant",
    "remade",
)  #: in which any class can be run
CLOSURES: tuple[Manner, ...] = ("closure", "silent closure")
COMPILING = 30.0  #: seconds that may go into probes in which torch.compile compiles something
USUAL = {
    "lr": "lr", "b1": "betas[0]", "b2": "betas[1]", "eps": "eps", "weight_decay": "weight_decay",
}  # fmt: skip
"""The arguments of torch.optim's Adams."""


class TorchCandidate:
    """Runs an optimizer class as a training loop does: it sets ``.grad`` and calls ``step()``."""

    def __init__(
        self,
        cls: Callable[..., Any],
        settings: Mapping[str, str],
        known: Mapping[str, str] | None,
        device: str | None,
        required: Sequence[str] = REQUIRED,
    ) -> None:
        self.cls = cls
        self.device = torch_device(device)
        self.compiling = 0.0  #: seconds of the probes in which something was compiled
        self.arguments = map_arguments(cls, settings, known, positional=1, required=required, usual=USUAL)

    @property
    def info(self) -> CandidateInfo:
        a = self.arguments
        device, dialect = device_name(self.device), own_dialect(self.cls, a.extra)
        return CandidateInfo(
            "torch optimizer",
            dialect=dialect,
            lacks=a.lacks,
            fixed=a.fixed,
            device=device,
            names=a.names,
            extra=a.written,
            claims_complex=bool(getattr(self.cls, "complex", dialect is not None)),
            defaults=a.defaults,
            step="step(lambda: torch.zeros(()))" if needs_closure(class_of(self.cls), 1) else "step()",
        )

    def run(self, probe: Probe, dtype: str) -> Run:
        probe = served_probe(probe, self.arguments.lacks, self.arguments.fixed)
        reason = self.refuses(probe) or unsupported_reason(
            probe,
            lr=True,
            changes=True,
            groups=True,
            scale=True,
            found_inf=True,
            manners=MANNERS + (CLOSURES if takes_closure(self.cls) else ()),
        )
        if reason:
            return Run(unsupported=reason)
        before, start = compilations.count(), perf_counter()
        run = run_probe(lambda variant: self.stepper(variant, dtype), probe)
        run.eager = compilations.is_off()
        if compilations.count() > before:
            self.compiling += perf_counter() - start
            if self.compiling > COMPILING and not run.eager:
                compilations.switch_off()
        return run

    def refuses(self, probe: Probe) -> str | None:
        """Return why arrays that lie so can't be given to the class; None if they can."""
        return "torch has no negative strides" if probe.layout == "reversed" else None

    def stepper(self, probe: Probe, dtype: str) -> TorchStepper:
        """Return the optimizer that runs a variant of a probe."""
        return TorchStepper(self, probe, dtype)

"""The adapter of Keras 3 optimizer classes, on the backend that Keras uses."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from adamcore.conformance.candidates.adapter.arguments import (
    REQUIRED,
    effective_hyper,
    map_arguments,
    own_dialect,
    served_probe,
)
from adamcore.conformance.candidates.adapter.base import (
    CandidateInfo,
    Refusal,
    Stepper,
    UnsupportedProbe,
    describe,
    unsupported_reason,
)
from adamcore.conformance.candidates.adapter.buffers import GradientBuffers
from adamcore.conformance.candidates.adapter.runs import run_probe, use
from adamcore.conformance.types import FloatArray, Moments, Probe, Run, Step


def choose_backend() -> None:
    """Set KERAS_BACKEND to torch or jax if the user chose none and the default is not installed.

    The default is TensorFlow.
    """
    if "KERAS_BACKEND" in os.environ or importlib.util.find_spec("tensorflow"):
        return
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    with contextlib.suppress(OSError, ValueError):
        if json.loads((home / "keras.json").read_text(encoding="utf-8")).get("backend") != "tensorflow":
            return
    found = next((name for name in ("torch", "jax") if importlib.util.find_spec(name)), None)
    if found:
        os.environ["KERAS_BACKEND"] = found


class KerasCandidate:
    """Runs an optimizer class through ``apply(gradients, variables)``."""

    def __init__(
        self,
        cls: type,
        settings: Mapping[str, str],
        known: Mapping[str, str] | None,
        required: Sequence[str] = REQUIRED,
    ) -> None:
        self.cls = cls
        self.arguments = map_arguments(cls, settings, known, required=required)

    @property
    def info(self) -> CandidateInfo:
        import keras

        a = self.arguments
        flushes = keras.backend.backend() in ("jax", "tensorflow")  # XLA and oneDNN flush subnormal numbers
        dialect = own_dialect(self.cls, a.extra) or "keras.Adam"  # whose clock and decay are Keras' own
        device = f"keras on {keras.backend.backend()}"
        kind = "keras optimizer"
        return CandidateInfo(kind, dialect, a.lacks, a.fixed, flushes, device, defaults=a.defaults)

    def run(self, probe: Probe, dtype: str) -> Run:
        probe = served_probe(probe, self.arguments.lacks, self.arguments.fixed)
        if reason := unsupported_reason(probe, lr=True, changes=True, manners=("used",)):
            return Run(unsupported=reason)
        if any(np.iscomplexobj(p) for p in probe.params):
            return Run(unsupported="Keras optimizers are for real variables")
        return run_probe(lambda variant: KerasStepper(self, variant, dtype), probe)


class KerasStepper(Stepper):
    def __init__(self, candidate: KerasCandidate, probe: Probe, dtype: str) -> None:
        import keras

        self.keras, self.dtype = keras, dtype
        self.candidate, self.probe = candidate, probe
        self.changed: dict[str, Any] = {}  #: hyperparameters other than lr that were set
        self.to_numpy: Any = keras.ops.convert_to_numpy
        on_torch = keras.backend.backend() == "torch"  # only its tensors can be written to
        self.gradients = GradientBuffers(
            probe,
            keras.ops.convert_to_tensor,
            (lambda old, new: old.copy_(keras.ops.convert_to_tensor(new))) if on_torch else None,
            self.to_numpy,
        )
        a = candidate.arguments
        keywords = a.call(effective_hyper(probe.hyper, a.lacks, a.fixed))
        try:
            self.variables = [keras.Variable(p, dtype=str(p.dtype)) for p in self.cast(probe.params)]
            self.optimizer: Any = candidate.cls(**keywords)
            self.optimizer.build(self.variables)
        except Exception as error:
            raise Refusal(describe(error)) from error

    def resumed(self) -> Stepper:
        again = KerasStepper(self.candidate, self.probe, self.dtype)
        if self.probe.manner == "used":
            use(again, self.probe)
        for new, old in zip(again.variables, self.variables, strict=True):
            new.assign(old.value)
        for new, old in zip(again.optimizer.variables, self.optimizer.variables, strict=True):
            new.assign(old.value)
        again.change(self.changed)  # attributes are no part of a state
        return again

    def place(self, params: Sequence[FloatArray]) -> None:
        for variable, value in zip(self.variables, params, strict=True):
            variable.assign(value)

    def change(self, changes: Mapping[str, Any]) -> None:
        """Set other hyperparameters than the learning rate."""
        self.changed |= changes
        for ours, value in changes.items():
            name = self.candidate.arguments.names[ours]
            if not hasattr(self.optimizer, name):
                raise UnsupportedProbe(f"it has no attribute {name}")
            setattr(self.optimizer, name, value)

    def clocks(self) -> list[int] | None:
        return [int(self.optimizer.iterations.value)] * len(self.variables)

    def moments(self) -> list[Moments | None] | None:
        """Return the moments by the names that Keras' Adam gives its slots (STATE.1)."""
        m, v = (self.slots(name) for name in ("momentum", "velocity"))
        if not len(m) == len(v) == len(self.variables):
            return None
        return [Moments(*pair) for pair in zip(m, v, strict=True)]

    def slots(self, name: str) -> list[FloatArray]:
        """Return the optimizer's arrays of one name, one for each variable."""
        kept = [v for v in self.optimizer.variables if v.name.endswith(name)]
        return [np.array(self.to_numpy(v.value)) for v in kept]

    def step(self, index: int, step: Step) -> tuple[list[Any], list[str]]:
        if step.lr is not None:
            self.optimizer.learning_rate = step.lr
        self.change(step.changes or {})
        grads = self.gradients.fill(self.cast(step.grads))
        self.optimizer.apply(grads, self.variables)
        written = self.gradients.written(index)
        return [np.array(self.to_numpy(v.value)) for v in self.variables], written

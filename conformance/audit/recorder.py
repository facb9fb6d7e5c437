"""The recorder: writes the steps of a training loop to a file, bit for bit."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from adamcore.backends.io.atomic import write_whole
from adamcore.backends.io.safetensors import Tensor, as_tensor, digest, encode
from adamcore.conformance.dtypes import DTYPES
from adamcore.dialects import DIALECTS, Dialect, parse_option
from adamcore.errors import AdamcoreError

SCHEMA = "adamcore-recording/1"
TORCH_NAMES = {"lr": "lr", "b1": "betas[0]", "b2": "betas[1]", "eps": "eps", "weight_decay": "weight_decay"}


class RecordingError(AdamcoreError, ValueError):
    """A file that is damaged, cut off or no recording, or an array that cannot be recorded."""


class Recorder:
    """Records parameters, gradients and hyperparameters of a run for ``adamcore audit``.

    Arrays of any library are given by name.  A gradient that is None or missing is absent.

    Args:
        hyper: lr, b1, b2, eps, weight_decay, and eps_root or momentum_decay if the run has them.
        dialect: the claim of the run, a row of ``adamcore dialects``.
        settings: options of the dialect, as ``--set`` takes them: {"amsgrad": "True"}.

    Example:
        >>> recorder = Recorder({"lr": 0.5, "b1": 0.9, "b2": 0.999, "eps": 1e-8, "weight_decay": 0.0})
        >>> before, grads = {"w": np.ones(2)}, {"w": np.array([1.0, -1.0])}
        >>> recorder.step(before, grads, {"w": np.array([0.5, 1.5])})
        >>> recorder.steps
        1
    """

    def __init__(
        self,
        hyper: Mapping[str, float],
        dialect: str | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.groups: list[dict[str, Any]] = [
            {
                "params": [],
                "hyper": floats(hyper),
                "lr": [],
                "dialect": dialect,
                "settings": dict(settings or {}),
            }
        ]
        self.tensors: dict[str, Tensor] = {}
        self.steps = 0
        self.by = ""

    def step(
        self,
        before: Mapping[str, Any],
        grads: Mapping[str, Any],
        after: Mapping[str, Any],
        lr: float | None = None,
    ) -> None:
        """Record one step.

        Args:
            before: the parameters before the step.
            grads: the gradients.
            after: the parameters after the step.
            lr: the learning rate from this step on; None means that it is the one of the last step.

        Raises:
            RecordingError: an array has a dtype that cannot be recorded.
        """
        group = self.groups[0]
        group["params"] = group["params"] or list(before)
        self._step({n: pack(n, x) for n, x in before.items()}, grads, after)
        group["lr"].append(float(lr) if lr is not None else (group["lr"] or [group["hyper"]["lr"]])[-1])

    def _step(self, before: Mapping[str, Tensor], grads: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        self.steps += 1
        k = self.steps
        for name, tensor in before.items():
            if tensor != self.tensors.get(f"after/{k - 1}/{name}"):  # the first step, or changed in between
                self.tensors[f"before/{k}/{name}"] = tensor
            if grads.get(name) is not None:
                self.tensors[f"grad/{k}/{name}"] = pack(name, grads[name])
            self.tensors[f"after/{k}/{name}"] = pack(name, after[name])

    def save(self, path: str | Path) -> None:
        """Write the file.  An interrupted write leaves the old file as it was.

        Raises:
            OSError: the folder does not exist or is not writable.
        """
        run = {"schema": SCHEMA, "steps": self.steps, "by": self.by, "groups": self.groups}
        text = json.dumps(run)
        metadata = {"adamcore": text, "sha256": digest(self.tensors, text)}
        write_whole(path, encode(self.tensors, metadata, separators=(",", ":")))

    @classmethod
    def torch(cls, optimizer: Any, names: Mapping[str, Any] | None = None) -> Recorder:
        """Return a recorder of every step of a ``torch.optim.Optimizer`` that has not made a step yet.

        Args:
            optimizer: the optimizer.  If the table of dialects has its class, that dialect is the claim.
            names: the parameters by name, as ``dict(model.named_parameters())``.  A parameter without a
                name is called "group.index".
        """
        recorder = cls({})
        recorder.by = f"torch {sys.modules['torch'].__version__}"
        known = {id(p): name for name, p in (names or {}).items()}
        tensors: dict[str, Any] = {}
        row = dialect_of(type(optimizer))
        recorder.groups = []
        for i, group in enumerate(optimizer.param_groups):
            mine = {known.get(id(p), f"{i}.{j}"): p for j, p in enumerate(group["params"])}
            tensors |= mine
            recorder.groups.append(
                {
                    "params": list(mine),
                    "lr": [],
                    "dialect": row.name if row else None,
                    "hyper": hyper_of(group, row.hyper if row else TORCH_NAMES),
                    "settings": settings_of(group, row),
                }
            )
        held: dict[str, Any] = {}

        def before(optimizer: Any, *_: Any) -> None:
            grads = {n: None if p.grad is None else p.grad.detach().clone() for n, p in tensors.items()}
            held.update(before={n: pack(n, p) for n, p in tensors.items()}, grads=grads)
            for group, theirs in zip(recorder.groups, optimizer.param_groups, strict=True):
                group["lr"].append(float(theirs["lr"]))

        def after(*_: Any) -> None:
            recorder._step(held["before"], held["grads"], tensors)

        optimizer.register_step_pre_hook(before)
        optimizer.register_step_post_hook(after)
        return recorder


def pack(name: str, array: Any) -> Tensor:
    """Return the dtype, the shape and the bytes of an array of any library."""
    if hasattr(array, "detach"):  # a torch tensor; NumPy has no bfloat16
        tensor = array.detach().cpu().contiguous()
        dtype, data = str(tensor.dtype).removeprefix("torch."), tensor.reshape(-1)
        if dtype in DTYPES:
            return Tensor(dtype, tuple(tensor.shape), data.view(sys.modules["torch"].uint8).numpy().tobytes())
    else:
        values = np.asarray(array)
        dtype = values.dtype.name
        if dtype in DTYPES:
            return as_tensor(values)
    raise RecordingError(f"array {name!r} is of dtype {dtype}; expected {', '.join(DTYPES)}")


def dialect_of(kind: type) -> Dialect | None:
    """Return the row of the table of dialects that describes a class, or None."""
    for row in DIALECTS.values():
        for target in row.targets:
            module, _, attribute = target.partition(":")
            if getattr(sys.modules.get(module), attribute, None) is kind:
                return row
    return None


def hyper_of(group: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, float]:
    """Return the hyperparameters of a parameter group, given its name of each."""
    found = {}
    for ours, theirs in names.items():
        name, _, index = theirs.partition("[")
        if name in group:
            found[ours] = group[name][int(index[:-1])] if index else group[name]
    return floats(found)


def floats(hyper: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in hyper.items()}


def settings_of(group: Mapping[str, Any], row: Dialect | None) -> dict[str, str]:
    """Return the options of the dialect that a parameter group has."""
    options: Sequence[str] = list(row.options) if row else []
    keys = {key for option in options for key in parse_option(option)}
    return {key: str(group[key]) for key in sorted(keys & group.keys())}

"""Reading a recording: its parameter groups with their steps, after a check of the whole file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from adamcore import Adam
from adamcore.backends.io.safetensors import Tensor, decode, digest
from adamcore.conformance.audit.recorder import SCHEMA, RecordingError
from adamcore.conformance.dtypes import DTYPES, from_bits
from adamcore.conformance.types import FloatArray
from adamcore.dialects import HYPERPARAMETERS
from adamcore.errors import HyperparameterError

ALWAYS = ("lr", "b1", "b2", "eps", "weight_decay")


@dataclass(frozen=True)
class StepRecord:
    """One step of one parameter."""

    before: Tensor
    grad: Tensor | None
    after: Tensor


@dataclass(frozen=True)
class ParamGroup:
    """Parameters that share hyperparameters."""

    hyper: dict[str, float]
    lr: list[float]  #: the learning rate of each step
    dialect: str | None
    settings: dict[str, str]
    params: dict[str, list[StepRecord]]  #: the steps of each parameter


def load(path: Path) -> list[ParamGroup]:
    """Return the parameter groups of a recording.

    Raises:
        RecordingError: the file is damaged, cut off, incomplete or no recording; the message says which.
    """
    tensors, metadata = read_tensors(path)
    if "adamcore" not in metadata:
        raise RecordingError(f"{path}: a safetensors file, but no recording: its metadata has no 'adamcore'")
    text = metadata["adamcore"]
    if "sha256" in metadata and metadata["sha256"] != digest(tensors, text):
        raise RecordingError(f"{path}: damaged: its content does not have the hash that it names")
    try:
        run = json.loads(text)
    except ValueError as error:
        raise RecordingError(f"{path}: the metadata 'adamcore' is not JSON ({error})") from error
    if not isinstance(run, dict) or run.get("schema") != SCHEMA:
        found = run.get("schema") if isinstance(run, dict) else None
        raise RecordingError(f"{path}: expected schema {SCHEMA!r}, found {found!r}")
    steps, groups = run.get("steps"), run.get("groups")
    if not isinstance(steps, int) or steps < 1 or not isinstance(groups, list) or not groups:
        raise RecordingError(f"{path}: the metadata has no steps, or no groups of parameters")
    result = [parse_group(path, k, entry, steps, tensors) for k, entry in enumerate(groups)]
    known = {n for g in result for n in g.params}
    for key in tensors:
        kind, _, rest = key.partition("/")
        number, _, name = rest.partition("/")
        fits = kind in ("before", "grad", "after") and number.isdigit() and 1 <= int(number) <= steps
        if not fits or name not in known:
            raise RecordingError(f"{path}: array {key!r} belongs to no step of a parameter in the metadata")
    return result


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the arrays and the metadata of a file.

    Raises:
        RecordingError: there is no such file, or it is no safetensors file of floating-point arrays.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RecordingError(f"{path}: {error.strerror or error}") from error
    tensors, metadata = decode(data, str(path), RecordingError)
    for name, tensor in tensors.items():
        if tensor.dtype not in DTYPES:
            raise RecordingError(
                f"{path}: array {name!r} is of dtype {tensor.dtype}; expected {', '.join(DTYPES)}"
            )
    return tensors, metadata


def tensor_values(tensor: Tensor) -> FloatArray:
    """Return an array's values, in the dtype's carrier."""
    bits = np.frombuffer(tensor.data, dtype=f"<u{DTYPES[tensor.dtype].width // 8}")
    return from_bits(bits, tensor.dtype).reshape(tensor.shape)


def parse_group(path: Path, k: int, entry: Any, steps: int, tensors: Mapping[str, Tensor]) -> ParamGroup:
    """Return one group; raise :class:`RecordingError` if a hyperparameter or an array is wrong or missing."""
    where = f"{path}: group {k}"
    try:
        hyper = {name: float(value) for name, value in entry["hyper"].items()}
        lr, names = [float(x) for x in entry["lr"]], [str(n) for n in entry["params"]]
        settings = {str(n): str(v) for n, v in (entry.get("settings") or {}).items()}
        dialect = entry.get("dialect")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise RecordingError(f"{where}: damaged metadata ({type(error).__name__}: {error})") from error
    missing = [name for name in ALWAYS[1:] if name not in hyper]
    if missing:
        raise RecordingError(f"{where}: no hyperparameter {', '.join(missing)}")
    if len(lr) != steps:
        raise RecordingError(f"{where}: {len(lr)} learning rates for {steps} steps")
    strange = [name for name in hyper if name not in HYPERPARAMETERS]
    if strange:
        raise RecordingError(f"{where}: unknown hyperparameter {', '.join(map(repr, strange))}")
    try:
        for rate in lr:
            Adam(**{**hyper, "lr": rate})  # type: ignore[arg-type]
    except HyperparameterError as error:
        raise RecordingError(f"{where}: {error}") from error
    return ParamGroup(hyper, lr, dialect, settings, {n: step_records(path, n, steps, tensors) for n in names})


def step_records(path: Path, name: str, steps: int, tensors: Mapping[str, Tensor]) -> list[StepRecord]:
    """Return the steps of one parameter."""
    found: list[StepRecord] = []
    for k in range(1, steps + 1):
        before = tensors.get(f"before/{k}/{name}") or (found[-1].after if found else None)
        after, grad = tensors.get(f"after/{k}/{name}"), tensors.get(f"grad/{k}/{name}")
        if before is None or after is None:
            which = "before" if before is None else "after"
            raise RecordingError(f"{path}: no array '{which}/{k}/{name}' of step {k}")
        for kind, tensor in (("before", before), ("grad", grad)):
            if tensor is not None and (tensor.shape != after.shape or tensor.dtype != after.dtype):
                raise RecordingError(
                    f"{path}: '{kind}/{k}/{name}' is {tensor.dtype}{list(tensor.shape)}, "
                    f"'after/{k}/{name}' {after.dtype}{list(after.shape)}"
                )
        found.append(StepRecord(before, grad, after))
    return found

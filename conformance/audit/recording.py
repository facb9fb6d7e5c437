"""A recording as it is read: groups of parameters with their steps, everything checked."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adamcore import AXES, Adam
from adamcore.backends.io.safetensors import Tensor, decode, digest
from adamcore.config import HYPERPARAMETERS
from adamcore.conformance.audit.arrays import RecordingError, as_complex
from adamcore.conformance.audit.log import SCHEMA, STORED, Settings, State
from adamcore.conformance.dtypes import DTYPES
from adamcore.errors import AxisError, HyperparameterError

SCHEMAS = ("adamcore-recording/1", SCHEMA)
ALWAYS = ("lr", "b1", "b2", "eps", "weight_decay")
KINDS = ("before", "grad", "after", "mask", "m", "v", "v_max")


@dataclass(frozen=True)
class StepRecord:
    """One step of one parameter."""

    before: Tensor
    grad: Tensor | None
    after: Tensor
    frozen: bool = False  #: it has to stand still
    mask: Tensor | None = None  #: the elements that step; the others have to stand still
    state: State | None = None  #: that the step was given, where somebody changed it


@dataclass(frozen=True)
class ParamGroup:
    """Parameters that have the same settings in every step."""

    settings: list[Settings]  #: of each step
    params: dict[str, list[StepRecord | None]]  #: name -> its steps; None: it was not in the optimizer
    end: str = ""  #: why the steps end before those of the recording

    @property
    def lr(self) -> list[float]:
        return [s.hyper["lr"] for s in self.settings]


@dataclass(frozen=True)
class Recording:
    """What is in a file."""

    groups: list[ParamGroup]
    faults: list[str]  #: what went wrong in the recorder


def load(path: Path) -> Recording:
    """Return what is in a file.

    Raises:
        RecordingError: the file is damaged, cut, foreign, or lacks something; the message says what.
    """
    tensors, metadata = read_tensors(path)
    if "adamcore" not in metadata:
        raise RecordingError(f"{path}: a safetensors file, but no recording: its metadata has no 'adamcore'")
    text = metadata["adamcore"]
    if "sha256" in metadata and metadata["sha256"] != digest(tensors, text):
        raise RecordingError(f"{path}: damaged: its content does not have the hash that it names")
    try:
        run = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RecordingError(f"{path}: the metadata 'adamcore' is not JSON ({error})") from error
    if not isinstance(run, dict) or run.get("schema") not in SCHEMAS:
        found = run.get("schema") if isinstance(run, dict) else None
        raise RecordingError(f"{path}: expected schema {SCHEMA!r}, found {found!r}")
    faults = [str(text) for text in run.get("faults") or ()]
    steps, groups = run.get("steps"), run.get("groups")
    if type(steps) is not int or steps < 1 or not isinstance(groups, list) or not groups:
        said = f" (the recorder: {'; '.join(faults)})" if faults else ""
        raise RecordingError(f"{path}: the metadata has no steps, or no groups of parameters{said}")
    result = [parse_group(path, k, entry, steps, tensors) for k, entry in enumerate(groups)]
    known = {n for g in result for n in g.params}
    for key in tensors:
        kind, _, rest = key.partition("/")
        number, _, name = rest.partition("/")
        fits = kind in KINDS and number.isdecimal() and 1 <= int(number) <= steps
        if not fits or name not in known:
            raise RecordingError(f"{path}: array {key!r} belongs to no step of a parameter in the metadata")
    return Recording(result, faults)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the arrays and the metadata of a file.

    Raises:
        RecordingError: there is no such file, or it is no safetensors file of floating arrays.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RecordingError(f"{path}: {error.strerror or error}") from error
    tensors, metadata = decode(data, str(path), RecordingError)
    for name, tensor in tensors.items():
        if tensor.dtype not in DTYPES and not (tensor.dtype == "bool" and name.startswith("mask/")):
            raise RecordingError(
                f"{path}: array {name!r} is of dtype {tensor.dtype}; expected {', '.join(DTYPES)}"
            )
    return tensors, metadata


def parse_group(path: Path, k: int, entry: Any, steps: int, tensors: Mapping[str, Tensor]) -> ParamGroup:
    """Return one group, its hyperparameters in their ranges and its arrays all there."""
    where = f"{path}: group {k}"
    try:
        lr, names = [float(x) for x in entry["lr"]], [str(n) for n in entry["params"]]
        settings = all_settings(entry, lr, steps)
        away, frozen = spans(entry.get("away") or [], steps), entry.get("frozen") or {}
        states = {
            n: {int(s): dict(v) for s, v in of.items()} for n, of in (entry.get("states") or {}).items()
        }
        parts = set(entry.get("complex") or ())
        still = {n: spans(frozen.get(n) or [], steps) for n in names}
        params = {
            n: step_records(path, n, steps, tensors, away, still[n], states.get(n, {}), n in parts)
            for n in names
        }
    except RecordingError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
        raise RecordingError(f"{where}: damaged metadata ({type(error).__name__}: {error})") from error
    missing = [name for name in ALWAYS[1:] if name not in settings[0].hyper]
    if missing:
        raise RecordingError(f"{where}: no hyperparameter {', '.join(missing)}")
    if len(lr) != steps:
        raise RecordingError(f"{where}: {len(lr)} learning rates for {steps} steps")
    strange = sorted({name for s in settings for name in s.hyper if name not in HYPERPARAMETERS})
    if strange:
        raise RecordingError(f"{where}: unknown hyperparameter {', '.join(map(repr, strange))}")
    first = min((k for track in params.values() for k, r in enumerate(track) if r is not None), default=0)
    for step, s in enumerate(settings):
        if step and s is settings[step - 1]:
            continue
        try:
            Adam(**{**s.hyper, **(s.axes or {}), **s.storage})
        except (HyperparameterError, AxisError, TypeError) as error:
            if step <= first:
                raise RecordingError(f"{where}: {error}") from error
            records = {n: r[:step] for n, r in params.items()}
            return ParamGroup(settings[:step], records, f"step {step + 1} has {error}")
    return ParamGroup(settings, params)


def all_settings(entry: Any, lr: list[float], steps: int) -> list[Settings]:
    """Return the settings of each step; the same object where nothing changes."""
    now = Settings(
        {name: float(value) for name, value in entry["hyper"].items()},
        {str(n): str(v) for n, v in (entry.get("settings") or {}).items()},
        {str(n): v for n, v in entry["axes"].items()} if entry.get("axes") else None,
        entry.get("dialect"),
        str(entry.get("note") or ""),
        {name: entry[name] for name in STORED if entry.get(name) is not None},
    )
    if now.axes is not None and not now.axes.keys() <= AXES.keys():
        raise ValueError(f"unknown axis {', '.join(sorted(now.axes.keys() - AXES.keys()))}")
    changes = {int(step): change for step, change in (entry.get("changes") or {}).items()}
    found = []
    for k in range(1, steps + 1):
        change = changes.get(k, {})
        rate = {"lr": lr[k - 1]} if k <= len(lr) else {}
        if change or any(now.hyper.get(n) != v for n, v in rate.items()):
            hyper = {n: float(v) for n, v in (change.get("hyper") or {}).items()}
            axes = None if now.axes is None else {**now.axes, **(change.get("axes") or {})}
            options = {**now.options, **(change.get("settings") or {})}
            now = dataclasses.replace(now, hyper={**now.hyper, **hyper, **rate}, axes=axes, options=options)
        found.append(now)
    return found


def spans(pairs: Any, steps: int) -> set[int]:
    """Return the numbers in ranges, both ends included."""
    return {k for first, last in pairs for k in range(max(1, int(first)), min(int(last), steps) + 1)}


def step_records(
    path: Path, name: str, steps: int, tensors: Mapping[str, Tensor], away: set[int], frozen: set[int],
    states: Mapping[int, Mapping[str, Any]], is_complex: bool,
) -> list[StepRecord | None]:  # fmt: skip
    """Return the steps of one parameter."""

    def array(kind: str, k: int) -> Tensor | None:
        tensor = tensors.get(f"{kind}/{k}/{name}")
        if tensor is None or not is_complex or kind == "mask":
            return tensor
        if not tensor.shape or tensor.shape[-1] != 2 or tensor.dtype not in ("float32", "float64"):
            raise RecordingError(
                f"{path}: '{kind}/{k}/{name}' has no real and imaginary part in its last dimension"
            )
        return as_complex(tensor)

    found: list[StepRecord | None] = []
    last: Tensor | None = None
    for k in range(1, steps + 1):
        if k in away:
            found.append(None)
            continue
        before = array("before", k) or last
        after, grad, mask = array("after", k), array("grad", k), array("mask", k)
        if before is None or after is None:
            which = "before" if before is None else "after"
            raise RecordingError(f"{path}: no array '{which}/{k}/{name}' of step {k}")
        state = None
        moments = {kind: x for kind in ("m", "v", "v_max") if (x := array(kind, k)) is not None}
        if k in states:
            state = State(int(states[k]["t"]), float(states[k].get("mu_product", 1.0)), moments)
        elif moments:
            raise RecordingError(
                f"{path}: a state of {name!r} in step {k}, and no clock of it in the metadata"
            )
        others = {"before": before, "grad": grad, "mask": mask, **moments}
        for kind, tensor in others.items():
            same = tensor is None or kind != "before" or tensor.dtype == after.dtype
            if tensor is not None and (tensor.shape != after.shape or not same):
                raise RecordingError(
                    f"{path}: '{kind}/{k}/{name}' is {tensor.dtype}{list(tensor.shape)}, "
                    f"'after/{k}/{name}' {after.dtype}{list(after.shape)}"
                )
        found.append(StepRecord(before, grad, after, k in frozen, mask, state))
        last = after
    return found

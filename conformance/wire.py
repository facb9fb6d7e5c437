"""Probes and runs as JSON, for the pipe between the check and its worker processes.

An array is ``{"dtype", "shape", "data"}``, where ``data`` is the base64 of its bytes, so that it arrives
bit for bit, with the payload of each NaN.  The bytes of a long array are compressed, since those of a probe
repeat.
"""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np

from adamcore.conformance.types import Clipping, FloatArray, Moments, Probe, Run, Start, Step

Json = dict[str, Any]
MOMENTS = ("m", "v", "v_max")
LONG = 4096  #: bytes; arrays of more are compressed


def pack_array(array: FloatArray) -> Json:
    """Return the JSON form of ``array``.

    >>> pack_array(np.array([1.0], dtype="float32"))
    {'dtype': '<f4', 'shape': [1], 'data': 'AACAPw=='}
    """
    little = np.asarray(array, dtype=np.asarray(array).dtype.newbyteorder("<"), order="C")
    raw, packed = little.tobytes(), {"dtype": little.dtype.str, "shape": list(little.shape)}
    if len(raw) > LONG:
        return packed | {"data": base64.b64encode(zlib.compress(raw, 1)).decode("ascii"), "zlib": True}
    return packed | {"data": base64.b64encode(raw).decode("ascii")}


def unpack_array(packed: Json) -> FloatArray:
    """Return the array of :func:`pack_array` in memory of its own."""
    raw = base64.b64decode(packed["data"])
    flat = np.frombuffer(zlib.decompress(raw) if packed.get("zlib") else raw, dtype=packed["dtype"])
    native = flat.astype(flat.dtype.newbyteorder("="))
    return native.reshape(packed["shape"])


def pack_probe(probe: Probe) -> Json:
    """Return the parts of a probe that a candidate needs."""
    return {
        "name": probe.name,
        "params": [pack_array(p) for p in probe.params],
        "steps": [pack_step(step) for step in probe.steps],
        "hyper": dict(probe.hyper),
        "start": [{"t": s.t} | {n: pack_array(getattr(s, n)) for n in MOMENTS} for s in probe.start],
        "layout": probe.layout,
        "dtypes": list(probe.dtypes),
        "manner": probe.manner,
        "groups": [dict(group) for group in probe.groups],
        "clip": None if probe.clip is None else [probe.clip.way, probe.clip.most, probe.clip.eps],
    }


def unpack_probe(packed: Json) -> Probe:
    """Return the probe of :func:`pack_probe`."""
    return Probe(
        name=packed["name"],
        about="",
        params=tuple(unpack_array(p) for p in packed["params"]),
        steps=tuple(unpack_step(step) for step in packed["steps"]),
        hyper=packed["hyper"],
        start=tuple(
            Start(s["t"], unpack_array(s["m"]), unpack_array(s["v"]), unpack_array(s["v_max"]))
            for s in packed["start"]
        ),
        layout=packed["layout"],
        dtypes=tuple(packed["dtypes"]),
        manner=packed["manner"],
        groups=tuple(packed["groups"]),
        clip=None if packed["clip"] is None else Clipping(*packed["clip"]),
    )


def pack_step(step: Step) -> Json:
    """Return the JSON form of a step."""
    present = step.present
    return {
        "grads": [None if g is None else pack_array(g) for g in step.grads],
        "lr": step.lr,
        "changes": dict(step.changes) if step.changes else None,
        "scale": step.scale,
        "found_inf": step.found_inf,
        "resumed": step.resumed,
        "before": None if step.before is None else [pack_array(p) for p in step.before],
        "present": None
        if present is None
        else [f if isinstance(f, bool) else pack_array(f) for f in present],
    }


def unpack_step(packed: Json) -> Step:
    """Return the step of :func:`pack_step`."""
    present = packed["present"]
    return Step(
        grads=tuple(None if g is None else unpack_array(g) for g in packed["grads"]),
        lr=packed["lr"],
        changes=packed["changes"],
        scale=packed["scale"],
        found_inf=packed["found_inf"],
        resumed=packed["resumed"],
        before=None if packed["before"] is None else tuple(map(unpack_array, packed["before"])),
        present=None
        if present is None
        else tuple(f if isinstance(f, bool) else unpack_array(f) for f in present),
    )


def pack_run(run: Run) -> Json:
    """Return the JSON form of a run."""
    return {
        "params": [[pack_array(p) for p in after] for after in run.params],
        "clocks": run.clocks,
        "error": run.error,
        "after_error": [pack_array(p) for p in run.after_error],
        "unsupported": run.unsupported,
        "written": run.written,
        "unheld": run.unheld,
        "closure": run.closure,
        "compilations": run.compilations,
        "eager": run.eager,
        "rests": [[x if x is None else pack_array(x) for x in after] for after in run.rests],
        "moments": [
            [kept and [x if x is None else pack_array(x) for x in kept] for kept in after]
            for after in run.moments
        ],
    }


def unpack_run(packed: Json) -> Run:
    """Return the run of :func:`pack_run`."""
    return Run(
        params=[[unpack_array(p) for p in after] for after in packed["params"]],
        clocks=packed["clocks"],
        error=packed["error"],
        after_error=[unpack_array(p) for p in packed["after_error"]],
        unsupported=packed["unsupported"],
        written=packed["written"],
        unheld=tuple(packed["unheld"]),
        closure=packed["closure"],
        compilations=packed["compilations"],
        eager=packed["eager"],
        rests=[[x if x is None else unpack_array(x) for x in after] for after in packed["rests"]],
        moments=[
            [kept and Moments(*kept).each(unpack_array) for kept in after] for after in packed["moments"]
        ],
    )

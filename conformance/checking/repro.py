"""A minimal program that shows a deviation, in the candidate's own framework.

The failing probe is cut down to the element that first left its bound and to the steps up to that point.
If the smaller probe still deviates, it is written as a program.  The program needs the candidate and its
framework, but nothing of adamcore.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from adamcore.conformance.candidates.adapter.arguments import complete_hyper, effective_hyper
from adamcore.conformance.candidates.adapter.base import CandidateInfo
from adamcore.conformance.candidates.array import init_defaults
from adamcore.conformance.candidates.targets import package_of
from adamcore.conformance.types import Evidence, FloatArray, Probe, Step

LONG = 48  #: elements from which an array is written as what it repeats


@dataclass(frozen=True)
class MinimalExample:
    """A small probe on which the candidate deviates, and the place where it does."""

    probe: Probe
    dtype: str
    evidence: Evidence


def shrink(probe: Probe, evidence: Evidence) -> list[Probe]:
    """Return smaller versions of the probe, the smallest first.

    There is none if the deviation may depend on more than the numbers: on the manner of the run, the start
    state, a state that is restored, the layout in memory, groups, changed hyperparameters, masks or a loss
    scale.
    """
    if probe.manner != "plain" or probe.start or probe.is_resumed or probe.layout != "C" or probe.is_scaled:
        return []
    if probe.groups or any(step.present is not None or step.changes for step in probe.steps):
        return []
    i, at = evidence.place
    steps = probe.steps[: evidence.step]
    whole = replace(probe, steps=steps, twin=None, level="must")
    one = replace(whole, params=(probe.params[i],), steps=tuple(one_parameter(s, i) for s in steps))
    if not at:
        return [one, whole]

    def element(a: FloatArray) -> FloatArray:
        return np.asarray(a[at]).reshape(1)

    single = replace(one.each_gradient(element), params=(element(probe.params[i]),))
    kept = replace(single, steps=tuple(replace(step, lr=None) for step in single.steps))
    smaller = [kept] if any(step.lr is not None for step in single.steps) else []
    return [*smaller, single, one, whole]


def one_parameter(step: Step, i: int) -> Step:
    return Step((step.grads[i],), step.lr)


def write_program(target: str, info: CandidateInfo, small: MinimalExample) -> str | None:
    """Return about ten lines that show the deviation, or None if the kind of candidate has no program."""
    write = {
        "torch optimizer": torch_program,
        "optax factory": optax_program,
        "array candidate": array_program,
    }.get(info.kind)
    if write is None or len(small.probe.params) != 1:
        return None
    if info.kind == "optax factory" and any(step.lr is not None for step in small.probe.steps):
        return None
    arrays = [*small.probe.params, *(g for step in small.probe.steps for g in step.grads if g is not None)]
    if any(a.size > LONG and period(a) is None for a in arrays):
        return None
    e = small.evidence
    lines = write(target, info, small)
    if "np.resize" in "\n".join(lines) and "import numpy as np" not in lines:
        lines.insert(0, "import numpy as np")
    if re.search(r"\b(nan|inf)\b", "\n".join(lines)):
        lines.insert(1, "from math import inf, nan")
    lines += [
        f'print("got ", float({shown_element(small)}).hex())'
        f"  # {float.fromhex(e.got):.9g}: {e.ulp:.3g} ULP off",
        f'print("want", "{e.want}")  # {float.fromhex(e.want):.9g}, within {e.bound_ulp:.3g} ULP',
    ]
    return "\n".join(lines) + "\n"


def shown_element(small: MinimalExample) -> str:
    """Return the element that deviates, as an expression of p."""
    p, (_, at) = small.probe.params[0], small.evidence.place
    element = f"p.ravel()[{int(np.ravel_multi_index(at, p.shape)) if at else 0}]"
    if not small.probe.is_complex:
        return element
    return element + (".imag" if small.evidence.element.endswith(".imag") else ".real")


def dtype_name(small: MinimalExample) -> str:
    """Return the dtype of the parameter."""
    if small.probe.is_complex:
        return {"float32": "complex64", "float64": "complex128"}[small.dtype]
    return small.dtype


def torch_program(target: str, info: CandidateInfo, small: MinimalExample) -> list[str]:
    probe, dtype = small.probe, f"torch.{dtype_name(small)}"
    name, imported = import_lines(target)
    rate = info.names.get("lr", "lr")
    key = '"lr"' if rate == "lr" else f'"lr" if "lr" in optimizer.param_groups[0] else "{rate}"'
    return [
        "import torch", *imported,
        f"p = torch.nn.Parameter(torch.tensor({literal(probe.params[0])}, dtype={dtype}))",
        f"optimizer = {name}([p]{argument_text(info, probe)})",
        *loop(probe, f"    optimizer.param_groups[0][{key}] = lr"),
        f"    p.grad = None if g is None else torch.tensor(g, dtype={dtype})",
        f"    optimizer.{info.step}",
        "p = p.detach()",
    ]  # fmt: skip


def optax_program(target: str, info: CandidateInfo, small: MinimalExample) -> list[str]:
    probe = small.probe
    name, imported = import_lines(target)
    wide = ['jax.config.update("jax_enable_x64", True)'] if small.dtype == "float64" else []
    return [
        "import jax", "import jax.numpy as jnp", "import optax", *imported, *wide,
        f"p = jnp.array({literal(probe.params[0])}, dtype=jnp.{dtype_name(small)})",
        f"optimizer = {name}({argument_text(info, probe).removeprefix(', ')})",
        "state = optimizer.init(p)",
        "update = jax.jit(optimizer.update)",
        *loop(probe),
        "    u, state = update(None if g is None else jnp.array(g, dtype=p.dtype), state, p)",
        "    p = optax.apply_updates(p, u)",
    ]  # fmt: skip


def array_program(target: str, info: CandidateInfo, small: MinimalExample) -> list[str]:
    probe, dtype = small.probe, f"np.{dtype_name(small)}"
    name, imported = import_lines(target)
    hyper = complete_hyper(probe.hyper, info.lacks, info.fixed, init_defaults(info.lacks))
    return [
        "import numpy as np", *imported,
        f"optimizer = {name}({', '.join(f'{k}={v}' for k, v in info.extra.items())})",
        f"optimizer.init([np.array({literal(probe.params[0])}, dtype={dtype})], {hyper})",
        *loop(probe, "    optimizer.set_lr(lr)"),
        f"    (p,) = optimizer.step([None if g is None else np.array(g, dtype={dtype})])",
    ]  # fmt: skip


def import_lines(target: str) -> tuple[str, list[str]]:
    """Return the name of the class or factory, and the lines that import it."""
    module, _, name = target.rpartition(":")
    top = name.partition(".")[0]
    if module.endswith(".py"):
        if package := package_of(Path(module)):
            folder = str(package[0]) if os.path.isabs(module) else os.path.relpath(package[0])
            return name, ["import sys", f"sys.path.append({folder!r})", f"from {package[1]} import {top}"]
        folder = os.path.dirname(module) or "."
        return name, [
            "import runpy, sys",
            f"sys.path.append({folder!r})",
            f"{top} = runpy.run_path({module!r})[{top!r}]",
        ]
    return name, [f"from {module} import {top}"]


def argument_text(info: CandidateInfo, probe: Probe) -> str:
    """Return the hyperparameters as the rest of a call: ``, lr=0.5, betas=(0.5, 0.8)``."""
    hyper = effective_hyper(probe.hyper, info.lacks, info.fixed)
    texts: dict[str, str] = {}
    for ours, theirs in info.names.items():
        name, pair, _ = theirs.partition("[")
        if ours in hyper:
            texts[name] = f"({hyper['b1']!r}, {hyper['b2']!r})" if pair else repr(hyper[ours])
    return "".join(f", {name}={text}" for name, text in {**texts, **info.extra}.items())


def loop(probe: Probe, set_lr: str = "") -> list[str]:
    """Return the head of a loop over the gradients, and the line that sets lr where it changes."""
    grads = ["None" if g is None else literal(g) for g in (step.grads[0] for step in probe.steps)]
    rates = [step.lr for step in probe.steps]
    if all(lr is None for lr in rates):
        return [f"for g in [{', '.join(grads)}]:"]
    pairs = ", ".join(f"({g}, {lr!r})" for g, lr in zip(grads, rates, strict=True))
    return [f"for g, lr in [{pairs}]:", f"    if lr is not None:\n    {set_lr}"]


def literal(values: FloatArray | Sequence[float]) -> str:
    """Return an array as the text of nested lists, or of the numbers that a long one repeats.

    The numbers read back exactly.

    >>> literal([[0.5], [2.0]])
    '[[0.5], [2.0]]'
    >>> literal(np.resize([0.5, 2.0, 1.0], (10, 10)))
    'np.resize([0.5, 2.0, 1.0], (10, 10))'
    """
    array = np.asarray(values)
    if array.size <= LONG:
        return repr(array.tolist())
    return f"np.resize({array.ravel()[: period(array)].tolist()!r}, {array.shape})"


def period(array: FloatArray) -> int | None:
    """Return after how many elements, in C order, an array repeats; None if only after more than LONG."""
    flat = array.ravel()
    lengths = range(1, LONG + 1)
    return next((k for k in lengths if np.array_equal(flat[k:], flat[:-k], equal_nan=True)), None)

"""Does a network learn with parameters in 16 bits?  Training under each policy of docs/precision.md.

Each task is trained twice, with three seeds.  "replayed": the gradients are those of the float32 run, so that
storage alone differs.  "free": each kind of storage computes its own gradients from its own parameters.

    python benchmarks/learning.py [--task TASK] [--steps N] [--json FILE] [--kept FOLDER]

A run that is broken off goes on from FOLDER.  What FILE has of other tasks and kinds stays.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from learning_tasks import TASKS, Task, examples_of
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from adamcore import Adam
from adamcore.conformance.bench.results import environment

STEPS, SEEDS, POINTS, KEPT_EVERY = 20_000, (1, 2, 3), 100, 1000
ALARM = 1e-6  #: how probable it is that stochastic rounding leaves its bound by chance
#: each kind of storage: the dtype of the parameters, and what the optimizer is told
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "float32": ("float32", {}),
    **{
        policy: ("bfloat16", {"p_storage": policy, "moment_dtype": "float32"})
        for policy in ("plain", "master", "split", "split8", "kahan", "stochastic")
    },
    "8 bits": ("bfloat16", {"p_storage": "split8", "m_storage": "companded8", "v_storage": "companded8"}),
}
GROUPS = (tuple(KINDS)[:-1], ("float32", "8 bits"))  #: the kinds that are trained side by side
EXACT = ("master", "split")  #: the policies that keep every bit of float32


def rate_at(task: Task, t: int, steps: int) -> float:
    """Return the rate of step ``t``: up in 2 % of the steps, then along a cosine down to a hundredth."""
    warm = max(1, steps // 50)
    if t <= warm:
        return task.rate * t / warm
    return task.rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (t - warm) / (steps - warm))))


class Training:
    """Some kinds of storage of one task, with all seeds, trained side by side."""

    def __init__(self, task: Task, manner: str, steps: int, kinds: Sequence[str]) -> None:
        self.task, self.manner, self.steps, self.t, self.kinds = task, manner, steps, 0, tuple(kinds)
        start = torch.cat([task.start(seed) for seed in SEEDS])
        self.adams = {
            kind: Adam(lr=task.rate, weight_decay=0.01, decay="decoupled", **options)
            for kind, (_, options) in KINDS.items()
            if kind in kinds
        }
        self.params = {kind: start.to(getattr(torch, KINDS[kind][0])) for kind in kinds}
        self.states = {kind: adam.init(self.params[kind]) for kind, adam in self.adams.items()}
        self.rngs = [np.random.default_rng([14, seed]) for seed in SEEDS]
        self.recent: list[Tensor] = []
        self.curve: list[list[list[float]]] = []  #: point, kind, seed
        self.points: list[int] = []
        self.largest = torch.zeros_like(start)  #: the largest size of each parameter on its way in float32
        self.test = task.examples(np.random.default_rng(0), 1024)

    @property
    def trained(self) -> list[str]:
        """The kinds that compute gradients."""
        return ["float32"] if self.manner == "replayed" else list(self.kinds)

    def rows(self) -> Tensor:
        """Return the parameters of the kinds that compute gradients, in float32, a model in each row."""
        return torch.cat([self.params[kind].float().reshape(len(SEEDS), -1) for kind in self.trained])

    def step(self) -> None:
        """Make one step of every kind."""
        self.t += 1
        x, y = examples_of(self.task, self.rngs, len(self.trained))
        rows = self.rows().requires_grad_()
        losses = self.task.losses(rows, x, y)
        losses.sum().backward()
        assert rows.grad is not None
        grads = dict(zip(self.trained, rows.grad.reshape(len(self.trained), -1), strict=True))
        self.recent.append(losses.detach())
        lr = rate_at(self.task, self.t, self.steps)
        for kind, adam in self.adams.items():
            g = grads[kind] if self.manner == "free" else grads["float32"].bfloat16()
            g = g.to(self.params[kind].dtype)
            self.params[kind], self.states[kind] = adam.step(
                self.params[kind], g, self.states[kind], lr=lr, donate=True
            )
        if self.manner == "replayed":
            self.largest = torch.maximum(self.largest, self.params["float32"].abs())
        if self.t % (self.steps // POINTS) == 0:
            mean = torch.stack(self.recent).mean(dim=0).reshape(len(self.trained), -1)
            self.curve.append(mean.tolist())
            self.points.append(self.t)
            self.recent = []

    def tested(self) -> dict[str, list[float]]:
        """Return the loss of each model on examples that it was not trained on."""
        models = len(self.trained) * len(SEEDS)
        x, y = (part.expand(models, *part.shape) for part in self.test)
        with torch.no_grad():
            losses = self.task.losses(self.rows(), x, y).reshape(len(self.trained), -1)
        return dict(zip(self.trained, losses.tolist(), strict=True))

    def distances(self) -> dict[str, Any]:
        """Return how far the value of each kind is from float32's, beside what it can be by the rules."""
        found, exact, top = {}, self.params["float32"], self.largest
        for kind in self.kinds:
            if kind == "float32":
                continue
            off = (value_of(kind, self.params[kind], self.states[kind].p_rest) - exact).abs()
            limit = bound_of(kind, self.t, top)
            found[kind] = {
                "same bits": bool((off == 0).all()),
                "largest": float(off.max()),
                "mean": float(off.mean()),
                "of its bound": None if limit is None else float((off / limit).nan_to_num().max()),
            }
        return found

    def result(self) -> dict[str, Any]:
        """Return what is stored of a whole run."""
        if self.manner == "replayed":
            return {"distances": self.distances()}
        curve = torch.tensor(self.curve).permute(1, 2, 0)
        rounded = [[[round(x, 5) for x in seed] for seed in kind] for kind in curve.tolist()]
        return {
            "points": dict(enumerate(self.points)),
            "curves": dict(zip(self.trained, rounded, strict=True)),
            "final": {kind: [round(x, 6) for x in losses] for kind, losses in self.tested().items()},
        }


def value_of(kind: str, p: Tensor, rest: Any) -> Tensor:
    """Return the float32 value that a parameter and its rest stand for (STORE.2 to STORE.6)."""
    if kind == "master":
        return torch.as_tensor(rest)
    if kind in ("split", "split8"):
        return (p.float().view(torch.int32) + rest.int() * (256 if kind == "split8" else 1)).view(
            torch.float32
        )
    return p.float() + rest.float() if kind == "kahan" else p.float()


def bound_of(kind: str, steps: int, largest: Tensor) -> Tensor | None:
    """Return how far the roundings of so many steps can take a value from float32's under the same gradients.

    A step rounds the value once, and decay only makes earlier roundings smaller.
    """
    if kind in EXACT:
        return torch.zeros_like(largest)
    if kind in ("split8", "kahan"):  # 16 digits of the significand, and float32's own rounding
        return steps * (2.0**-16 + 2.0**-23) * largest
    if kind == "stochastic":  # Hoeffding's inequality for all elements: each rounding is unbiased
        return 2.0**-7 * largest * math.sqrt(steps * math.log(2 * largest.numel() / ALARM) / 2)
    return None


def trained(
    task: Task, manner: str, steps: int, kinds: Sequence[str], kept: Path, tell: Callable[[int], object]
) -> dict[str, Any]:
    """Return the result of one run, from what is kept of it on."""
    file = kept / f"{task.name} {manner} {kinds[-1]} {steps}.pt".replace(" ", "-")
    training = torch.load(file, weights_only=False) if file.exists() else Training(task, manner, steps, kinds)
    tell(training.t)
    while training.t < steps:
        training.step()
        if training.t % 50 == 0 or training.t == steps:
            tell(training.t)
        if training.t % KEPT_EVERY == 0:
            torch.save(training, file.with_suffix(".new"))
            file.with_suffix(".new").replace(file)
    result: dict[str, Any] = training.result()
    return result


def merged(before: dict[str, Any], task: dict[str, Any]) -> dict[str, Any]:
    """Return the results of a task with those of other kinds of storage that are stored, of as many steps."""
    if before.get("steps") != task["steps"]:
        return task
    return {
        key: {**before.get(key, {}), **value} if isinstance(value, dict) else value
        for key, value in task.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--steps", type=int, default=STEPS, help="a multiple of 100 (default: %(default)s)")
    parser.add_argument("--task", action="append", choices=TASKS, help="only this task")
    parser.add_argument("--group", action="append", type=int, choices=(0, 1), help="only these kinds")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--kept", type=Path, default=Path("build/learning"), metavar="FOLDER")
    options = parser.parse_args()
    groups = [GROUPS[number] for number in options.group or (0, 1)]
    options.kept.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    )  # fmt: skip
    found: dict[str, Any] = {}
    with Progress(*columns) as bar:
        for name in options.task or TASKS:
            found[name] = {
                "parameters": TASKS[name].size, "batch": TASKS[name].batch, "lr": TASKS[name].rate,
                "steps": options.steps,
            }  # fmt: skip
            for manner, kinds in product(("replayed", "free"), groups):
                line = bar.add_task(f"{name}, {manner}, to {kinds[-1]}", total=options.steps)
                result = trained(
                    TASKS[name], manner, options.steps, kinds, options.kept,
                    lambda t, line=line: bar.update(line, completed=t),  # type: ignore[misc]
                )  # fmt: skip
                for part, value in result.items():
                    found[name][part] = {**found[name].get(part, {}), **value}
    for name, task in found.items():
        for kind, losses in task["final"].items():
            print(
                f"{name:12} {kind:10} final loss",
                *(f"{x:.4f}" for x in losses),
                task["distances"].get(kind, ""),
            )
    if options.json:
        file = Path(options.json)
        before = json.loads(file.read_text(encoding="utf-8"))["tasks"] if file.exists() else {}
        document = {
            "schema": "adamcore-learning/1",
            "environment": environment(),
            "seeds": list(SEEDS),
            "tasks": before | {name: merged(before.get(name, {}), task) for name, task in found.items()},
        }
        file.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

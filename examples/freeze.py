"""Hold one parameter still for a while: four ways to try, of which one works (docs/freeze.md).

One optimizer has two parameters, B and C, each drawn to a target, with L2 decay. After WARM steps C is to
stand still for FROZEN steps. `python examples/freeze.py` tries each way in torch.optim.Adam and in every
backend of adamcore.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adamcore import Adam

WARM, FROZEN = 10, 20
HYPER: dict[str, Any] = {"lr": 0.1, "weight_decay": 0.1}
START, TARGET = {"b": 1.0, "c": 5.0}, {"b": 3.0, "c": 2.0}
WAYS = {
    "zero": "gradient zeroed",
    "moments": "gradient and moments zeroed",
    "is": "moments zeroed by `is`",
    "none": "gradient None",
}


def with_torch_optim(way: str) -> list[float]:
    """Return C after every step of torch.optim.Adam."""
    import torch

    b, c = (torch.nn.Parameter(torch.tensor(START[k], dtype=torch.float64)) for k in "bc")
    optimizer = torch.optim.Adam([b, c], **HYPER)
    path = [c.item()]
    for k in range(WARM + FROZEN):
        b.grad, c.grad = b.detach() - TARGET["b"], c.detach() - TARGET["c"]
        if k >= WARM:
            c.grad = None if way == "none" else torch.zeros_like(c)
        if k >= WARM and way == "moments":
            for name in ("exp_avg", "exp_avg_sq"):
                optimizer.state[c][name].zero_()
        if k >= WARM and way == "is":
            for key, entry in optimizer.state_dict()["state"].items():
                if key is c:  # never: the keys are the integers 0 and 1
                    entry["exp_avg"].zero_()
                    entry["exp_avg_sq"].zero_()
        optimizer.step()
        path.append(c.item())
    return path


def with_adamcore(way: str, array: Callable[[float], Any]) -> list[float]:
    """Return C after every step of adamcore, in the library whose arrays ``array`` makes."""
    opt = Adam(**HYPER)
    params = {k: array(x) for k, x in START.items()}
    state = opt.init(params)
    path = [float(params["c"])]
    for k in range(WARM + FROZEN):
        grads: dict[str, Any] = {key: params[key] - array(TARGET[key]) for key in "bc"}
        if k >= WARM:
            grads["c"] = None if way == "none" else array(0.0)
        if k >= WARM and way == "moments":  # but not the clock, which `opt.reset` resets too
            state = state._replace(m={**state.m, "c": array(0.0)}, v={**state.v, "c": array(0.0)})
        if k >= WARM and way == "is":
            for key in state.m:
                if key is params["c"]:  # never: the keys are names
                    state = state._replace(m={**state.m, key: array(0.0)}, v={**state.v, key: array(0.0)})
        params, state = opt.step(params, grads, state)
        path.append(float(params["c"]))
    return path


def runs() -> dict[str, Callable[[str], list[float]]]:
    """Return the implementations by name."""
    import jax
    import torch

    def in_jax(way: str) -> list[float]:
        with jax.enable_x64(True):
            return with_adamcore(way, lambda x: jax.numpy.asarray(x, dtype="float64"))

    return {
        "torch.optim": with_torch_optim,
        "numpy": lambda way: with_adamcore(way, np.asarray),
        "torch": lambda way: with_adamcore(way, lambda x: torch.tensor(x, dtype=torch.float64)),
        "jax": in_jax,
    }


def table(paths: dict[str, dict[str, list[float]]]) -> str:
    """Return a table of how far C moved while it should have stood still, in units of lr."""
    names = list(next(iter(paths.values())))
    lines = [f"{'C moved by, in lr':<28} {'steps':>5}" + "".join(f"{name:>13}" for name in names)]
    for way, by in paths.items():
        for steps in (1, FROZEN):
            moved = [(by[n][WARM + steps] - by[n][WARM]) / HYPER["lr"] for n in names]
            label = WAYS[way] if steps == 1 else ""
            lines.append(f"{label:<28} {steps:>5}" + "".join(f"{x:>13.6f}" for x in moved))
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    implementations = runs()
    print(table({way: {name: run(way) for name, run in implementations.items()} for way in WAYS}))


if __name__ == "__main__":
    main()

"""The files of Paddle: the arrays of an optimizer's state_dict in an .npz file, and Paddle's own pickle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import paddle
import recipe

HYPER = {"lr": recipe.LR, "b1": recipe.B1, "b2": recipe.B2, "eps": recipe.EPS}


def run(manifest: recipe.Manifest, name: str, make: Callable[..., Any], dialect: str, more: Any) -> None:
    """Train, save, and write down what has to be read."""
    layer = paddle.nn.Linear(3, 2)
    for parameter, x in zip(layer.parameters(), recipe.params().values(), strict=True):
        parameter.set_value(paddle.to_tensor(x))
    optimizer = make(parameters=layer.parameters())
    names = [parameter.name for parameter in layer.parameters()]

    def step(k: int) -> None:
        for parameter, g in zip(layer.parameters(), recipe.grads(k).values(), strict=True):
            parameter.grad = paddle.to_tensor(g)
        optimizer.step()

    def weights() -> recipe.Arrays:
        return {each: p.numpy().copy() for each, p in zip(names, layer.parameters(), strict=True)}

    for k in range(recipe.STEPS):
        step(k)
    arrays = {key: x.numpy().copy() for key, x in optimizer.state_dict().items()}
    np.savez(manifest.folder / f"{name}.npz", **arrays)
    if name == "adam":
        paddle.save(optimizer.state_dict(), str(manifest.folder / "adam.pdopt"))
        manifest.add("adam.pdopt", refused="is a pickle, which is never loaded")
    parts = {"m": "moment1_0", "v": "moment2_0", "v_max": "moment2_max_0"}
    leaves = {
        each: {"t": recipe.STEPS} | {part: arrays.get(f"{each}_{theirs}") for part, theirs in parts.items()}
        for each in names
    }
    before = weights()
    step(recipe.STEPS)
    grads = dict(zip(names, recipe.grads(recipe.STEPS).values(), strict=True))
    manifest.add(
        f"{name}.npz",
        leaves,
        read={"dialect": dialect, "hyper": HYPER | more},
        dialect=dialect,
        following={"params": before, "grads": grads, "after": weights()},
    )


def main() -> None:
    """Make the files."""
    manifest = recipe.Manifest("paddle", "paddlepaddle")
    known = {"learning_rate": recipe.LR, "beta1": recipe.B1, "beta2": recipe.B2, "epsilon": recipe.EPS}
    adam, adamw = paddle.optimizer.Adam, paddle.optimizer.AdamW
    run(manifest, "adam", lambda **given: adam(**known, **given), "paddle.Adam", {})
    amsgrad: dict[str, Any] = {"weight_decay": recipe.DECAY, "amsgrad": True}
    decay = {"weight_decay": recipe.DECAY}
    run(manifest, "adamw_amsgrad", lambda **given: adamw(**known, **amsgrad, **given), "paddle.AdamW", decay)
    manifest.write()


if __name__ == "__main__":
    main()

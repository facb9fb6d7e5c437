"""The files of tinygrad: an optimizer's state_dict.  It needs clang on the machine."""

from __future__ import annotations

import recipe
from tinygrad import Tensor
from tinygrad.helpers import Context
from tinygrad.nn.optim import AdamW
from tinygrad.nn.state import get_state_dict, safe_save

HYPER = {"b1": recipe.B1, "b2": recipe.B2, "eps": recipe.EPS, "weight_decay": recipe.DECAY}


def main() -> None:
    """Make the files."""
    manifest = recipe.Manifest("tinygrad", "tinygrad")
    names = list(recipe.SHAPES)
    params = [Tensor(x.copy()).is_param_(True) for x in recipe.params().values()]
    optimizer = AdamW(
        params, lr=recipe.LR, b1=recipe.B1, b2=recipe.B2, eps=recipe.EPS, weight_decay=recipe.DECAY
    )

    def step(k: int) -> None:
        for parameter, g in zip(params, recipe.grads(k).values(), strict=True):
            parameter.grad = Tensor(g)
        with Context(TRAINING=1):
            optimizer.step()

    def weights() -> recipe.Arrays:
        return {name: p.numpy().copy() for name, p in zip(names, params, strict=True)}

    for k in range(recipe.STEPS):
        step(k)
    state = get_state_dict(optimizer)
    safe_save(state, str(manifest.folder / "adamw.safetensors"))
    leaves = {
        name: {"t": recipe.STEPS, "m": state[f"m.{k}"].numpy().copy(), "v": state[f"v.{k}"].numpy().copy()}
        for k, name in enumerate(names)
    }
    before = weights()
    step(recipe.STEPS)
    after = {"params": before, "grads": recipe.grads(recipe.STEPS), "after": weights()}
    told = {"dialect": "tinygrad.AdamW", "hyper": HYPER}
    manifest.add(
        "adamw.safetensors", leaves, read=told | {"names": names}, dialect="tinygrad.AdamW", following=after
    )
    manifest.add("adamw.safetensors", read=told, refused="numbers its 2 parameters")
    manifest.write()


if __name__ == "__main__":
    main()

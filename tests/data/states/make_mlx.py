"""The files of MLX: an optimizer's state, flattened with ``tree_flatten``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mlx.core as mx
import numpy as np
import recipe
from mlx.optimizers import Adam, AdamW
from mlx.utils import tree_flatten, tree_map, tree_unflatten


def tree(arrays: recipe.Arrays, dtype: Any) -> Any:
    """Return arrays as MLX keeps a model's parameters."""
    return tree_unflatten([(name, mx.array(x).astype(dtype)) for name, x in arrays.items()])


def flat(nested: Any) -> recipe.Arrays:
    """Return a tree of MLX arrays by their dotted names; bfloat16 comes as float32 with the same values."""
    found = tree_flatten(nested)
    return {name: np.array(x.astype(mx.float32) if x.dtype == mx.bfloat16 else x) for name, x in found}


def run(manifest: recipe.Manifest, file: str, make: Callable[[], Any], dialect: str, dtype: Any) -> None:
    """Train, save, and write down what has to be read."""
    optimizer, model = make(), tree(recipe.params(), dtype)
    for step in range(recipe.STEPS):
        model = optimizer.apply_gradients(tree(recipe.grads(step), dtype), model)
    mx.save_safetensors(str(manifest.folder / file), dict(tree_flatten(optimizer.state)))
    state, narrow = flat(optimizer.state), dtype == mx.bfloat16
    leaves = {
        name: {"t": int(state["step"]), "m": state[f"{name}.m"], "v": state[f"{name}.v"]}
        for name in recipe.SHAPES
    }
    before, gradients = flat(model), tree(recipe.grads(recipe.STEPS), dtype)
    after = flat(optimizer.apply_gradients(gradients, tree_map(lambda x: x, model)))
    hyper = {"lr": recipe.LR, "b1": recipe.B1, "b2": recipe.B2, "eps": recipe.EPS}
    hyper |= {"weight_decay": recipe.DECAY} if dialect == "mlx.AdamW" else {}
    corrected = {"bias_correction": "both"}
    manifest.add(
        file,
        leaves,
        read={"dialect": dialect, "hyper": hyper | corrected},
        dialect=dialect,
        adam=hyper | corrected,
        dtypes={"m": "bfloat16", "v": "bfloat16"} if narrow else None,
        following=None if narrow else {"params": before, "grads": flat(gradients), "after": after},
    )


def main() -> None:
    """Make the files."""
    manifest = recipe.Manifest("mlx", "mlx")
    known = {"betas": [recipe.B1, recipe.B2], "eps": recipe.EPS, "bias_correction": True}
    run(manifest, "adam.safetensors", lambda: Adam(recipe.LR, **known), "mlx.Adam", mx.float32)
    decayed = known | {"weight_decay": recipe.DECAY}
    for file, dtype in (("adamw.safetensors", mx.float32), ("adamw_bfloat16.safetensors", mx.bfloat16)):
        run(manifest, file, lambda: AdamW(recipe.LR, **decayed), "mlx.AdamW", dtype)
    manifest.write()


if __name__ == "__main__":
    main()

"""The files of flax and orbax: states of optax, as JAX programs keep them."""

from __future__ import annotations

import shutil
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint as ocp
import recipe
from flax import nnx, serialization
from flax.training.train_state import TrainState

HYPER = {"lr": recipe.LR, "b1": recipe.B1, "b2": recipe.B2, "eps": recipe.EPS}
DECAYED = HYPER | {"weight_decay": recipe.DECAY}
KNOWN = {"b1": recipe.B1, "b2": recipe.B2, "eps": recipe.EPS}


def tree(arrays: recipe.Arrays) -> Any:
    """Return the arrays as flax keeps a model's parameters."""
    return {"dense": {name.partition(".")[2]: jnp.asarray(x) for name, x in arrays.items()}}


def flat(nested: Any) -> recipe.Arrays:
    """Return the arrays of a layer by their dotted names."""
    return {f"dense.{name}": np.asarray(x) for name, x in nested["dense"].items()}


def trained(tx: Any, steps: int = recipe.STEPS) -> tuple[Any, Any]:
    """Return the parameters and the state after some steps."""
    params = tree(recipe.params())
    state = tx.init(params)
    for step in range(steps):
        updates, state = tx.update(tree(recipe.grads(step)), state, params)
        params = optax.apply_updates(params, updates)
    return params, state


def leaves(adam: Any) -> dict[str, dict[str, Any]]:
    """Return what is in a state of Adam."""
    parts = {"m": flat(adam.mu), "v": flat(adam.nu)}
    parts |= {"v_max": flat(adam.nu_max)} if hasattr(adam, "nu_max") else {}
    return {name: {"t": adam.count} | {key: x[name] for key, x in parts.items()} for name in recipe.SHAPES}


def following(tx: Any, params: Any, state: Any) -> dict[str, recipe.Arrays]:
    """Return the next step."""
    grads = tree(recipe.grads(recipe.STEPS))
    after = optax.apply_updates(params, tx.update(grads, state, params)[0])
    return {"params": flat(params), "grads": flat(grads), "after": flat(after)}


def fresh(manifest: recipe.Manifest, name: str) -> Any:
    """Return the path of a folder that orbax is to make."""
    shutil.rmtree(manifest.folder / name, ignore_errors=True)
    return manifest.folder / name


def msgpack_files(manifest: recipe.Manifest) -> None:
    """Make what ``flax.serialization.to_bytes`` gives of states, of a TrainState and of MultiSteps."""
    tx = optax.chain(
        optax.clip_by_global_norm(100.0), optax.adamw(recipe.LR, weight_decay=recipe.DECAY, **KNOWN)
    )
    params, state = trained(tx)
    known = {"dialect": "optax.adamw", "hyper": DECAYED}
    (manifest.folder / "adamw.msgpack").write_bytes(serialization.to_bytes(state))
    after = following(tx, params, state)
    manifest.add(
        "adamw.msgpack", leaves(state[1][0]), read=known, dialect="optax.adamw", adam=DECAYED, following=after
    )
    train_state = TrainState(recipe.STEPS, lambda: None, params, tx, state)
    (manifest.folder / "train_state").write_bytes(serialization.to_bytes(train_state))
    manifest.add("train_state", leaves(state[1][0]), read=known, following=after)

    tx = optax.amsgrad(recipe.LR, **KNOWN)
    params, state = trained(tx)
    (manifest.folder / "amsgrad.msgpack").write_bytes(serialization.to_bytes(state))
    manifest.add(
        "amsgrad.msgpack",
        leaves(state[0]),
        read={"hyper": HYPER},
        adam=HYPER | {"amsgrad": "corrected"},
        following=following(tx, params, state),
    )
    _, state = trained(optax.MultiSteps(optax.adam(recipe.LR, **KNOWN), 2), 5)
    (manifest.folder / "multi_steps.msgpack").write_bytes(serialization.to_bytes(state))
    manifest.add("multi_steps.msgpack", leaves(state.inner_opt_state[0]), warns="gradients of 1 mini-steps")
    manifest.add(
        "multi_steps.msgpack", read={"needs_dialect": True}, refused="one of optax.adam, optax.adamw"
    )
    half = optax.adam(recipe.LR, mu_dtype=jnp.bfloat16, **KNOWN)
    state = trained(half)[1]
    (manifest.folder / "mu_bfloat16.msgpack").write_bytes(serialization.to_bytes(state))
    manifest.add("mu_bfloat16.msgpack", leaves(state[0]), dtypes={"m": "bfloat16"})
    two = {"generator": state, "discriminator": state}
    (manifest.folder / "two.msgpack").write_bytes(serialization.to_bytes(two))
    manifest.add("two.msgpack", leaves(state[0]), read={"key": "generator"}, dtypes={"m": "bfloat16"})
    manifest.add("two.msgpack", refused="2 states of Adam")


def orbax_folders(manifest: recipe.Manifest) -> None:
    """Make orbax' folders: a tree, a manager's step, an ``nnx.Optimizer``, and arrays that lie apart."""
    tx = optax.adamw(optax.constant_schedule(recipe.LR), weight_decay=recipe.DECAY, **KNOWN)
    params, state = trained(tx)
    known = {"dialect": "optax.adamw", "hyper": DECAYED}
    after = following(tx, params, state)
    with ocp.StandardCheckpointer() as saver:
        saver.save(fresh(manifest, "standard"), {"params": params, "opt_state": state, "step": recipe.STEPS})
    manifest.add(
        "standard", leaves(state[0]), read=known, dialect="optax.adamw", adam=DECAYED, following=after
    )
    with ocp.CheckpointManager(fresh(manifest, "manager"), item_names=("params", "opt_state")) as saver:
        items = {"params": ocp.args.StandardSave(params), "opt_state": ocp.args.StandardSave(state)}
        saver.save(recipe.STEPS, args=ocp.args.Composite(**items))
        saver.wait_until_finished()
    manifest.add("manager", leaves(state[0]), read=known, following=after)
    half = optax.adam(recipe.LR, mu_dtype=jnp.bfloat16, **KNOWN)
    state = trained(half)[1]
    apart = ocp.Checkpointer(ocp.PyTreeCheckpointHandler(use_ocdbt=False))
    apart.save(fresh(manifest, "apart_bfloat16"), state)
    manifest.add("apart_bfloat16", leaves(state[0]), dtypes={"m": "bfloat16"})


def nnx_folder(manifest: recipe.Manifest) -> None:
    """Make the folder of an ``nnx.Optimizer``, whose state consists of variables."""

    class Model(nnx.Module):
        def __init__(self) -> None:
            self.dense = nnx.Linear(3, 2, rngs=nnx.Rngs(0))

    model = Model()
    nnx.update(model, nnx.State(tree(recipe.params())))
    optimizer = nnx.Optimizer(model, optax.adam(recipe.LR, **KNOWN), wrt=nnx.Param)
    for step in range(recipe.STEPS):
        gradients = nnx.state(model, nnx.Param)
        nnx.replace_by_pure_dict(gradients, tree(recipe.grads(step)))
        optimizer.update(model, gradients)
    with ocp.StandardCheckpointer() as saver:
        saver.save(fresh(manifest, "nnx"), nnx.state(optimizer))
    adam = jax.tree.map(
        lambda x: x.get_value(), optimizer.opt_state[0], is_leaf=lambda x: isinstance(x, nnx.Variable)
    )
    manifest.add("nnx", leaves(adam), read={"hyper": HYPER}, adam=HYPER)


def main() -> None:
    """Make the files."""
    manifest = recipe.Manifest("flax", "flax", ("msgpack", "tensorstore", "ml_dtypes"))
    manifest.head |= {"with": recipe.versions("jax", "optax", "orbax-checkpoint")}
    msgpack_files(manifest)
    orbax_folders(manifest)
    nnx_folder(manifest)
    for path in manifest.folder.rglob("commit_success.txt"):  # which names a folder of this machine
        path.unlink()
    manifest.write()


if __name__ == "__main__":
    main()

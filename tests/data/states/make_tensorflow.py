"""The files of TensorFlow: checkpoints by object and by name, and .h5 files of Keras 2."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import recipe
import tf_keras

tf: Any = importlib.import_module("tensorflow")

HYPER = {"lr": float(np.float32(recipe.LR)), "b1": recipe.B1, "b2": recipe.B2, "eps": recipe.EPS}
KNOWN = {"beta_1": recipe.B1, "beta_2": recipe.B2, "epsilon": recipe.EPS}
MOMENTS = {"b1": recipe.B1, "b2": recipe.B2, "eps": recipe.EPS}  #: what a checkpoint lacks and is told
PREFIX = "dense/"


def numbers(arrays: recipe.Arrays) -> recipe.Arrays:
    """Return the arrays under the names that TensorFlow gives to the variables."""
    return {name.replace(".", "/"): x for name, x in arrays.items()}


def model_of(library: Any, optimizer: Any) -> Any:
    """Return a model with one layer, whose parameters are those of the recipe."""
    layers = library.layers
    model = library.Sequential([layers.Input((3,)), layers.Dense(2, name="dense")])
    model.compile(optimizer, "mse")
    model.get_layer("dense").set_weights(list(recipe.params().values()))
    return model


def stepped(model: Any, step: int) -> None:
    """Make a step with the gradients of the recipe."""
    gradients = [tf.constant(g) for g in recipe.grads(step).values()]
    model.optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))


def weights(model: Any, names: list[str]) -> recipe.Arrays:
    """Return the parameters by name."""
    return {name: np.array(w) for name, w in zip(names, model.get_weights(), strict=True)}


def trained(library: Any, optimizer: Any) -> Any:
    """Return a model after some steps."""
    model = model_of(library, optimizer)
    for step in range(recipe.STEPS):
        stepped(model, step)
    return model


def following(model: Any, names: list[str]) -> dict[str, recipe.Arrays]:
    """Make one more step and return it."""
    before = weights(model, names)
    stepped(model, recipe.STEPS)
    grads = dict(zip(names, recipe.grads(recipe.STEPS).values(), strict=True))
    return {"params": before, "grads": grads, "after": weights(model, names)}


def moments(names: list[str], ms: list[Any], vs: list[Any], hats: list[Any] | None = None) -> Any:
    """Return what the manifest expects of an optimizer's variables."""
    rows = zip(names, ms, vs, hats or [None] * len(ms), strict=True)
    kept = [(name, *(None if x is None else recipe.numbers_of(x).copy() for x in row)) for name, *row in rows]
    return {name: {"t": recipe.STEPS, "m": m, "v": v, "v_max": hat} for name, m, v, hat in kept}


def checkpoint(manifest: recipe.Manifest, name: str, **objects: Any) -> str:
    """Save objects and return the prefix."""
    shutil.rmtree(manifest.folder / name, ignore_errors=True)
    tf.train.Checkpoint(**objects).write(str(manifest.folder / name / "ck"))
    return f"{name}/ck"


def keras3(manifest: recipe.Manifest) -> None:
    """Make checkpoints of Keras 3: one Adam, with averages of the weights; and two in one file."""
    model = trained(keras, keras.optimizers.AdamW(recipe.LR, weight_decay=recipe.DECAY, **KNOWN))
    names = [v.path for v in model.trainable_variables]
    optimizer = model.optimizer
    expected = moments(names, optimizer._momentums, optimizer._velocities)
    told = {"dialect": "keras.AdamW", "hyper": MOMENTS | {"weight_decay": recipe.DECAY}}
    file = checkpoint(manifest, "keras3", model=model, optimizer=optimizer)
    other = trained(keras, keras.optimizers.Adam(0.1)).optimizer
    two = checkpoint(manifest, "two", critic=other, generator=optimizer)
    manifest.add(file, expected, read=told, following=following(model, names), adam=HYPER)
    manifest.add(file, read={"needs_dialect": True}, refused="keras.AdamW")
    manifest.add(two, expected, read=told | {"key": "generator"})
    manifest.add(two, refused="2 states of Adam")
    averaged = trained(keras, keras.optimizers.Adam(recipe.LR, use_ema=True, amsgrad=True, **KNOWN))
    optimizer = averaged.optimizer
    hats = optimizer._velocity_hats
    names = [v.path for v in averaged.trainable_variables]
    expected = moments(names, optimizer._momentums, optimizer._velocities, hats)
    manifest.add(
        checkpoint(manifest, "keras3_ema", optimizer=optimizer),
        expected,
        read={"hyper": MOMENTS},
        adam=HYPER | {"amsgrad": "uncorrected"},
        warns="average",
    )


def keras2(manifest: recipe.Manifest) -> None:
    """Make checkpoints and .h5 files of both optimizers of Keras 2."""
    names = ["dense/kernel", "dense/bias"]
    model = trained(tf_keras, tf_keras.optimizers.Adam(recipe.LR, **KNOWN))
    optimizer = model.optimizer
    expected = moments(names, optimizer._momentums, optimizer._velocities)
    file = checkpoint(manifest, "keras2", model=model, optimizer=optimizer)
    model.save(manifest.folder / "keras2.h5")
    after = following(model, names)
    manifest.add(
        file, expected, read={"hyper": MOMENTS}, dialect="tf_keras.Adam", adam=HYPER, following=after
    )
    manifest.add("keras2.h5", expected, dialect="tf_keras.Adam", adam=HYPER, following=after)

    legacy = tf_keras.optimizers.legacy.Adam(recipe.LR, amsgrad=True, **KNOWN)
    model = trained(tf_keras, legacy)
    slots = [[legacy.get_slot(v, part) for v in model.trainable_variables] for part in ("m", "v", "vhat")]
    expected = moments(names, *slots)
    single = HYPER | {"b1": float(np.float32(recipe.B1)), "b2": float(np.float32(recipe.B2))}
    file = checkpoint(manifest, "legacy", model=model, optimizer=legacy)
    model.save(manifest.folder / "legacy.h5")
    after, row = following(model, names), "tf_keras.legacy.Adam"
    told: dict[str, Any] = single | {"amsgrad": "uncorrected"}
    eps = {"hyper": {"eps": recipe.EPS}}
    manifest.add(file, expected, read=eps, dialect=row, adam=told, following=after)
    manifest.add("legacy.h5", expected, dialect=row, adam=told, following=after)
    manifest.add(f"{file}.index", expected, read=eps)


def named(manifest: recipe.Manifest) -> None:
    """Make checkpoints by name: TensorFlow 1's Adam, its powers in a scope, and that of BERT's programs."""
    v1 = tf.compat.v1
    names = ["dense/kernel", "dense/bias"]
    params, grads = numbers(recipe.params()), numbers(recipe.grads(recipe.STEPS))
    with tf.Graph().as_default(), v1.Session() as session:
        variables = {name: v1.get_variable(name, initializer=x) for name, x in params.items()}
        fed = {name: v1.placeholder(tf.float32, x.shape) for name, x in grads.items()}
        optimizer = v1.train.AdamOptimizer(recipe.LR, recipe.B1, recipe.B2, recipe.EPS)
        with v1.name_scope("train"):
            step = optimizer.apply_gradients([(fed[name], variables[name]) for name in names])
        session.run(v1.global_variables_initializer())
        for k in range(recipe.STEPS):
            session.run(step, {fed[name]: x for name, x in numbers(recipe.grads(k)).items()})
        prefix = fresh(manifest, "tf1")
        v1.train.Saver(save_relative_paths=True).save(session, f"{prefix}/ck", write_meta_graph=False)
        slots = [
            [session.run(optimizer.get_slot(variables[name], part)) for name in names] for part in ("m", "v")
        ]
        before = session.run(variables)
        session.run(step, {fed[name]: x for name, x in grads.items()})
        after = {"params": before, "grads": grads, "after": session.run(variables)}
    known = MOMENTS | {"lr": recipe.LR}
    expected = moments(names, *slots)
    manifest.add("tf1/ck", expected, read={"hyper": known}, dialect="tf1.Adam", adam=known, following=after)
    manifest.add("tf1", expected, read={"kind": "tf1", "hyper": known})

    with tf.Graph().as_default(), v1.Session() as session:
        for name, x in params.items():
            v1.get_variable(name, initializer=x)
        for each, (m, v) in zip(names, zip(*slots, strict=True), strict=True):
            for slot, x in (("adam_m", m), ("adam_v", v)):
                v1.get_variable(f"{each}/{slot}", initializer=x)
        v1.train.get_or_create_global_step().assign(recipe.STEPS)
        session.run(v1.global_variables_initializer())
        session.run(v1.assign(v1.train.get_global_step(), recipe.STEPS))
        v1.train.Saver(save_relative_paths=True).save(
            session, f"{fresh(manifest, 'bert')}/ck", write_meta_graph=False
        )
    manifest.add("bert", expected, dialect="BertAdam", adam={"bias_correction": "none", "decay": "decoupled"})


def fresh(manifest: recipe.Manifest, name: str) -> Path:
    """Return an empty folder."""
    shutil.rmtree(manifest.folder / name, ignore_errors=True)
    (manifest.folder / name).mkdir()
    return manifest.folder / name


def main() -> None:
    """Make the files."""
    manifest = recipe.Manifest("tensorflow", "tensorflow", ("h5py",))
    manifest.head |= {"with": recipe.versions("keras", "tf-keras")}
    keras3(manifest)
    keras2(manifest)
    named(manifest)
    manifest.write()


if __name__ == "__main__":
    main()

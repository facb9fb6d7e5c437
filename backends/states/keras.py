"""The variables of a Keras optimizer: Keras' own Adam and AdamW, and ours."""

from __future__ import annotations

from typing import Any

import numpy as np

from adamcore.adam import Adam
from adamcore.backends.states.named import Array, Moments, NamedState, product_of, whole
from adamcore.dialects import for_target
from adamcore.errors import CheckpointError, ConversionError


def adam_of(optimizer: Any) -> tuple[Adam, str]:
    """The Adam that a Keras optimizer is, and its dialect.

    Raises:
        CheckpointError: it is none.
    """
    ours = getattr(optimizer, "adam", None)
    if isinstance(ours, Adam):
        config = optimizer.get_config()
        lr = config["learning_rate"]
        return (ours if isinstance(lr, dict) else replaced_lr(ours, lr)), optimizer.dialect
    for kind in type(optimizer).__mro__:
        row = for_target(f"{kind.__module__}:{kind.__name__}")
        if row is not None and row.name.startswith("keras."):
            config = optimizer.get_config()
            numbers = {o: config[theirs] for o, theirs in row.hyper.items() if config.get(theirs) is not None}
            if isinstance(numbers.get("lr"), dict):
                del numbers["lr"]
            axes = {"amsgrad": "uncorrected"} if config.get("amsgrad") else {}
            return row.adam(**numbers, **axes), row.name
    raise CheckpointError(
        f"{type(optimizer).__name__} is no Adam: expected keras.optimizers.Adam, AdamW or ours"
    )


def replaced_lr(adam: Adam, lr: float) -> Adam:
    from dataclasses import replace

    return replace(adam, lr=float(lr))


def variables_of(optimizer: Any) -> list[tuple[str, int]]:
    """The paths of the model's variables, with their places in the optimizer."""
    if not optimizer.built:
        raise CheckpointError(
            "the optimizer has no variables yet: build it with the model's (optimizer.build("
            "model.trainable_variables))"
        )
    return [(v.path, i) for i, v in enumerate(optimizer._trainable_variables)]


def host(variable: Any) -> Array:
    """A Keras variable in NumPy."""
    import keras

    return np.array(keras.ops.convert_to_numpy(variable.value))


def from_keras(optimizer: Any) -> NamedState:
    """The state in a live Keras optimizer, under the paths of the model's variables.

    Raises:
        CheckpointError: it is no Adam, or has not been built.
    """
    adam, row = adam_of(optimizer)
    t = whole(np.asarray(keras_number(optimizer.iterations)), "iterations")
    leaves = {}
    for name, i in variables_of(optimizer):
        each_t = whole(host(optimizer._clocks[i]), f"clock of {name}") if adam.clock == "per-parameter" else t
        v_max = host(optimizer._velocity_hats[i]) if adam.amsgrad != "none" else None
        mu = None
        if adam.nesterov == "dozat":
            store = getattr(optimizer, "_mu_products", None)
            if store is None:
                mu = product_of(adam, each_t)
            else:
                mu = float(host(store[i if adam.clock == "per-parameter" else 0]))
        leaves[name] = Moments(
            each_t, host(optimizer._momentums[i]), host(optimizer._velocities[i]), v_max, mu
        )
    return NamedState(adam, leaves, dialect=row)


def keras_number(x: Any) -> Array:
    """A number that Keras holds, in NumPy."""
    import keras

    return np.asarray(keras.ops.convert_to_numpy(x))


def to_keras(state: NamedState, optimizer: Any) -> None:
    """Put a state into a live Keras optimizer, which must be built and of the state's dialect.

    Everything is checked before anything is assigned.  The learning rate and the other
    hyperparameters stay the optimizer's.

    Raises:
        CheckpointError: other names or shapes than those of the model's variables.
        ConversionError: the optimizer can't take the state over exactly (:func:`fit` can).
    """
    from adamcore.backends.states.fitting import fit

    adam, row = adam_of(optimizer)
    if row == "keras.Nadam" and not hasattr(optimizer, "_mu_products"):
        raise ConversionError(
            "keras.optimizers.Nadam: expected ours, Adam(dialect='keras.Nadam'), whose clock is known"
        )
    state = fit(state, adam)
    places = variables_of(optimizer)
    found = state.match(name for name, _ in places)
    for (name, i), leaf in zip(places, found, strict=True):
        wanted = tuple(optimizer._momentums[i].shape)
        if leaf.m.shape != wanted:
            raise CheckpointError(f"{name} has shape {leaf.m.shape}: expected {wanted}")
    clock = state.one_clock() if adam.clock == "global" else max((leaf.t for leaf in found), default=0)
    assert clock is not None
    optimizer._iterations.assign(clock * (optimizer.gradient_accumulation_steps or 1))
    for (_, i), leaf in zip(places, found, strict=True):
        optimizer._momentums[i].assign(leaf.m)
        optimizer._velocities[i].assign(leaf.v)
        if adam.amsgrad != "none":
            optimizer._velocity_hats[i].assign(leaf.v_max)
        if adam.clock == "per-parameter":
            optimizer._clocks[i].assign(leaf.t)
        if adam.nesterov == "dozat":
            optimizer._mu_products[i if adam.clock == "per-parameter" else 0].assign(leaf.mu_product)

"""The state in a Keras optimizer: Keras' own Adam and AdamW, and ours."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from adamcore.adam import Adam
from adamcore.backends.states.fitting import fit, refuse_rounded
from adamcore.backends.states.named import Array, Moments, NamedState, product_of, whole_number
from adamcore.dialects import for_target
from adamcore.errors import CheckpointError, ConversionError


def adam_of(optimizer: Any) -> tuple[Adam, str]:
    """Return the Adam of a Keras optimizer, and the name of its dialect.

    The learning rate of a schedule is that of the next step.

    Raises:
        CheckpointError: the optimizer is no Adam.
    """
    ours = getattr(optimizer, "adam", None)
    if isinstance(ours, Adam):
        return replace(ours, lr=float(keras_number(optimizer.learning_rate))), optimizer.dialect
    for kind in type(optimizer).__mro__:
        row = for_target(f"{kind.__module__}:{kind.__name__}")
        if row is not None and row.name.startswith("keras."):
            config = optimizer.get_config()
            numbers = {o: config[theirs] for o, theirs in row.hyper.items() if config.get(theirs) is not None}
            numbers["lr"] = float(keras_number(optimizer.learning_rate))
            axes = {"amsgrad": "uncorrected"} if config.get("amsgrad") else {}
            return row.adam(**numbers, **axes), row.name
    raise CheckpointError(
        f"{type(optimizer).__name__} is no Adam: expected keras.optimizers.Adam, AdamW or ours"
    )


def unwrapped(optimizer: Any) -> Any:
    """Return the optimizer inside of a LossScaleOptimizer, whose scale is no state of Adam; or itself."""
    while (inner := getattr(optimizer, "inner_optimizer", None)) is not None:
        optimizer = inner
    return optimizer


def warn_left_out(averages: bool, accumulated: int) -> None:
    """Warn of what a Keras optimizer keeps beside the state of its Adam, if it does.

    Args:
        averages: whether it keeps averages of the weights.
        accumulated: how many gradients wait in its accumulators for the next update.
    """
    if averages:
        warnings.warn(
            "the averages of the weights (use_ema) are no part of Adam's state and are left out", stacklevel=3
        )
    if accumulated:
        warnings.warn(
            f"{accumulated} accumulated gradients, not yet part of an update, are left out", stacklevel=3
        )


def variables_of(optimizer: Any) -> list[tuple[str, int]]:
    """Return the paths of the model's variables, with their positions in the optimizer.

    Raises:
        CheckpointError: the optimizer is not built.
    """
    if not optimizer.built:
        raise CheckpointError(
            "the optimizer has no variables yet: build it with the model's (optimizer.build("
            "model.trainable_variables))"
        )
    return [(v.path, i) for i, v in enumerate(optimizer._trainable_variables)]


def host(variable: Any) -> Array:
    """Return a copy of a Keras variable in NumPy."""
    import keras

    return np.array(keras.ops.convert_to_numpy(variable.value))


def from_keras(optimizer: Any) -> NamedState:
    """Return the state in a Keras optimizer, under the paths of the model's variables.

    A variable that is excluded from weight decay has a decay of 0.  A LossScaleOptimizer stands for the
    optimizer inside of it.

    Raises:
        CheckpointError: the optimizer is no Adam, or it is not built.

    Warns:
        UserWarning: averages of the weights or accumulated gradients are left out.
    """
    optimizer = unwrapped(optimizer)
    adam, row = adam_of(optimizer)
    steps = optimizer.gradient_accumulation_steps
    warn_left_out(optimizer.use_ema, int(keras_number(optimizer._iterations)) % steps if steps else 0)
    t = whole_number(np.asarray(keras_number(optimizer.iterations)), "iterations")
    leaves = {}
    for name, i in variables_of(optimizer):
        each_t = (
            whole_number(host(optimizer._clocks[i]), f"clock of {name}")
            if adam.clock == "per-parameter"
            else t
        )
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
    return NamedState(adam, leaves, own_of(optimizer, adam), dialect=row)


def own_of(optimizer: Any, adam: Adam) -> dict[str, dict[str, float]]:
    """Return the hyperparameters that single variables have: those that do not decay."""
    return {
        name: {"weight_decay": 0.0}
        for name, i in variables_of(optimizer)
        if adam.weight_decay and not optimizer._use_weight_decay(optimizer._trainable_variables[i])
    }


def keras_number(x: Any) -> Array:
    """Return a number of Keras in NumPy."""
    import keras

    return np.asarray(keras.ops.convert_to_numpy(x))


def to_keras(state: NamedState, optimizer: Any, *, narrow: bool = False) -> None:
    """Assign a state to the variables of a Keras optimizer, which must be built.

    Everything is checked before anything is assigned.  The optimizer keeps its learning rate and its other
    hyperparameters.

    Args:
        state: in the dialect of the optimizer; :func:`fit` makes it so.
        optimizer: Keras' Adam or AdamW, or ours, in a LossScaleOptimizer or not.
        narrow: True if moments may be rounded to the dtypes of the optimizer's variables.

    Raises:
        CheckpointError: the names or the shapes are not those of the model's variables.
        ConversionError: the optimizer cannot take the state over exactly, or rounds moments (MOM.4).
    """
    import keras

    optimizer = unwrapped(optimizer)
    adam, row = adam_of(optimizer)
    if row == "keras.Nadam" and not hasattr(optimizer, "_mu_products"):
        raise ConversionError(
            "keras.optimizers.Nadam: expected ours, Adam(dialect='keras.Nadam'), whose clock is known"
        )
    state = fit(state, adam)
    state.warn_of_own("Keras' optimizer", own_of(optimizer, adam))
    places = variables_of(optimizer)
    found = state.match(name for name, _ in places)
    for (name, i), leaf in zip(places, found, strict=True):
        wanted = tuple(optimizer._momentums[i].shape)
        if leaf.m.shape != wanted:
            raise CheckpointError(f"{name} has shape {leaf.m.shape}: expected {wanted}")
        variables = {"m": optimizer._momentums[i], "v": optimizer._velocities[i]}
        if adam.amsgrad != "none":
            variables["v_max"] = optimizer._velocity_hats[i]
        for part, variable in [] if narrow else variables.items():
            value = getattr(leaf, part)
            refuse_rounded(value, keras.ops.cast(value, variable.dtype), f"{part} of {name}")
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

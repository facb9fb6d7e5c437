#!/bin/bash
# Keras: what exclude_from_weight_decay leaves out decays after all, in four ways.
#
# Versions:  keras 3.15.1, jax 0.10.2, torch 2.13.0, numpy 2.4.6, Python 3.11.
# Behaviour: The parameters below decay, though a call of exclude_from_weight_decay on a new AdamW names them:
#            - all of them, after the model is saved to .keras and loaded: a config has no exclusions;
#            - those of a call before the last: each call replaces the one before;
#            - those of a layer that is named: var_names=["layer_norm"] is looked for in "gamma" and "beta", the
#              variable's name, and not in its path "layer_norm/gamma", which was its name in Keras 2;
#            - all of them, if the call is to a LossScaleOptimizer around it.
#            Nothing warns. (The script makes steps with gradients of 0, which move what decays.)
# Source:    keras/src/optimizers/base_optimizer.py: exclude_from_weight_decay, _use_weight_decay, get_config.
# Advice:    Call it once, with all names of variables, on the AdamW itself, and again after load_model, before the
#            first step. (The documentation asks for a call before the optimizer is built; a later one does not raise.)
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet keras==3.15.1 jax==0.10.2 torch==2.13.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import sys

import keras
import numpy as np

X, Y = np.ones((4, 4), "float32"), np.zeros((4, 2), "float32")


def model(optimizer):
    """Return a model whose loss has no gradient, with every parameter at 1."""
    layers = keras.layers.Dense(3), keras.layers.LayerNormalization(name="layer_norm"), keras.layers.Dense(2)
    made = keras.Sequential([keras.layers.Input((4,)), *layers])
    made.compile(optimizer=optimizer, loss=zero)
    made.set_weights([np.ones_like(weight) for weight in made.get_weights()])
    return made


@keras.saving.register_keras_serializable()
def zero(y_true, y_pred):
    return keras.ops.sum(y_pred * 0.0, axis=-1)


def adamw(*calls):
    optimizer = keras.optimizers.AdamW(0.1, weight_decay=0.1)
    for names in calls:
        optimizer.exclude_from_weight_decay(var_names=names)
    return optimizer


def decayed(made):
    """Return the names of the parameters that a step moves."""
    before = made.get_weights()
    made.train_on_batch(X, Y)
    moved = [not np.array_equal(*pair) for pair in zip(before, made.get_weights(), strict=True)]
    return sorted({variable.name for variable, has in zip(made.trainable_variables, moved, strict=True) if has})


def loaded(*calls):
    made = model(adamw(["bias", "gamma", "beta"]))
    made.train_on_batch(X, Y)
    made.save("model.keras")
    made = keras.saving.load_model("model.keras")
    for names in calls:
        made.optimizer.exclude_from_weight_decay(var_names=names)
    return decayed(made)


def scaled():
    optimizer = keras.optimizers.LossScaleOptimizer(adamw())
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return decayed(model(optimizer))


every = ["beta", "bias", "gamma", "kernel"]
cases = {
    "one call": (lambda: decayed(model(adamw(["bias", "gamma", "beta"]))), ["kernel"]),
    "saved and loaded": (loaded, every),
    "loaded, and called again": (lambda: loaded(["bias", "gamma", "beta"]), ["kernel"]),
    "three calls: bias, gamma, beta": (lambda: decayed(model(adamw(["bias"], ["gamma"], ["beta"]))), every[1:]),
    "the layer's name, bias": (lambda: decayed(model(adamw(["layer_norm", "bias"]))), ["beta", "gamma", "kernel"]),
    "the call to LossScaleOptimizer": (scaled, every),
}
print(f"keras {keras.__version__}, {keras.backend.backend()} backend: what decays")
for name, (run, expected) in cases.items():
    found = run()
    print(f"  {name:32}" + ", ".join(found))
    if found != expected:
        sys.exit(f"CHANGED: not {expected}")
print("as described: exclusions are lost, and nothing says so")
PROGRAM
cd "$home"
for backend in jax torch; do
    KERAS_BACKEND=$backend KERAS_HOME="$home" venv/bin/python -W ignore program.py
done

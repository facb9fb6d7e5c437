#!/bin/bash
# An average of weights that are kept in 16 bits stands still, however far the weights go.
#
# Versions:  torch 2.13.0, optax 0.2.8 with jax 0.10.2, keras 3.15.1, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: torch.optim.swa_utils.AveragedModel, optax.incremental_update and Keras' use_ema keep the average in the
#            dtype of the weights, and round it in each step. A model of bfloat16 with a decay of 0.999 has the first
#            weights as its average for ever: weights that go from 1 to 2 leave it at 1 after any number of steps. With
#            0.99, which is Keras' default, it stops at 1.67. In float16 it stops near 1.5 (0.999). optax.ema, which begins
#            at 0, makes 0.5 (bfloat16) and 0.75 (float16) of a constant 1. Nothing warns.
# Source:    A step adds (1-decay)*(weight-average), which is rounded away if it is under half the distance of the
#            average from the next number: 1/512 to 1/256 of it in bfloat16, 1/4096 to 1/2048 in float16.
# Advice:    Average a float32 copy of the model; optax.ema has accumulator_dtype.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 optax==0.2.8 jax==0.10.2 jaxlib==0.10.2 keras==3.15.1 numpy==2.4.6 \
    || exit 2
cat > "$home/program.py" <<'PROGRAM'
import sys

import jax
import jax.numpy as jnp
import keras
import optax
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

STEPS = 10_000


def averaged_model(dtype, decay):
    """Return the average after many steps at 2, having begun at 1."""
    model = torch.nn.Linear(1, 1, bias=False, dtype=getattr(torch, dtype))
    averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay))
    for weight in [1.0] + [2.0] * STEPS:  # the first call copies
        model.weight.data.fill_(weight)
        averaged.update_parameters(model)
    return averaged.module.weight.item()


def incremental_update(dtype, decay):
    weight, average = jnp.full(1, 2, dtype), jnp.full(1, 1, dtype)
    step = jax.jit(lambda average: optax.incremental_update(weight, average, 1 - decay))
    for _ in range(STEPS):
        average = step(average)
    return float(average[0])


def use_ema(dtype, decay):
    weight = keras.Variable([1.0], dtype=dtype)
    optimizer = keras.optimizers.Adam(0.0, use_ema=True, ema_momentum=decay)
    optimizer.build([weight])
    gradient = keras.ops.zeros_like(weight)
    optimizer.apply([gradient])
    weight.assign([2.0])
    for _ in range(STEPS):
        optimizer.apply([gradient])
    return float(optimizer._model_variables_moving_average[0][0])


def ema_of_ones(dtype, decay):
    transformation, ones = optax.ema(decay, debias=False), jnp.ones(1, dtype)
    state = transformation.init(ones)
    step = jax.jit(lambda state: transformation.update(ones, state))
    for _ in range(STEPS):
        average, state = step(state)
    return float(average[0])


expected = [  # in float32, bfloat16 and float16
    (averaged_model, 0.999, 2.0, 1.0, 1.5),
    (incremental_update, 0.999, 2.0, 1.0, 1.5),
    (use_ema, 0.99, 2.0, 1.671875, 1.95),
    (ema_of_ones, 0.999, 1.0, 0.5, 0.75),
]
print(f"torch {torch.__version__}, optax {optax.__version__}, keras {keras.__version__}")
for average, decay, *right in expected:
    found = [average(dtype, decay) for dtype in ("float32", "bfloat16", "float16")]
    print(f"  {average.__name__}, decay {decay}: " + ", ".join(f"{x:.4g}" for x in found))
    if any(abs(x - y) > 0.03 for x, y in zip(found, right, strict=True)):
        sys.exit(f"CHANGED: expected {right}")
print("as described: in 16 bits the average stops on the way")
PROGRAM
KERAS_BACKEND=torch KERAS_HOME="$home" "$home/venv/bin/python" -W ignore "$home/program.py"

#!/bin/bash
# Keras on PyTorch: the dtype of the first variable is that of Adam's coefficients for all variables.
#
# Versions:  keras 3.15.1, torch 2.13.0, jax 0.10.2, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: With KERAS_BACKEND=torch, Adam and AdamW form the learning rate, 1-b1**t and 1-b2**t once, in the dtype of
#            the first variable. In bfloat16 b2=0.999 is 1, and the step is 0. So a model whose first layer is bfloat16
#            and whose others are float32 does not train at all: no variable moves, without a word. With the same
#            layers in another order all of them train, those in bfloat16 too. On JAX each variable has its own
#            coefficients: those in bfloat16 stand still, and those in float32 train, whatever their order.
# Source:    keras/src/backend/torch/optimizers/torch_adam.py: dtype = variables[0].dtype.
# Advice:    Keep variables in float32 (the policy mixed_bfloat16 does), or let the first one be float32.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet keras==3.15.1 torch==2.13.0 jax==0.10.2 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import sys

import keras
import numpy as np


def moved(dtypes):
    """Return how far the kernel of each layer has moved in the mean after five steps."""
    layers = [keras.layers.Dense(4, "tanh", dtype=dtype) for dtype in dtypes]
    model = keras.Sequential([keras.layers.Input((4,)), *layers])
    model.compile(keras.optimizers.Adam(0.01), loss="mse", jit_compile=False)
    before = [kernel(layer) for layer in layers]
    x = np.linspace(-1, 1, 32, dtype="float32").reshape(8, 4)
    model.fit(x, x[:, ::-1], batch_size=8, epochs=5, verbose=0)
    return [round(float(abs(kernel(layer) - b).mean()), 3) for layer, b in zip(layers, before, strict=True)]


def kernel(layer):
    return keras.ops.convert_to_numpy(keras.ops.cast(layer.kernel, "float32"))


print(f"keras {keras.__version__}, {keras.backend.backend()} backend: how far the kernels of two layers move")
keras.utils.set_random_seed(0)
for dtypes in ("float32", "float32"), ("float32", "bfloat16"), ("bfloat16", "float32"):
    found = moved(dtypes)
    print(f"  {dtypes}: {found}")
    on_torch = [dtypes[0] == "float32"] * 2
    on_jax = [dtype == "float32" for dtype in dtypes]
    if [distance > 0 for distance in found] != (on_torch if keras.backend.backend() == "torch" else on_jax):
        sys.exit("CHANGED")
print("as described")
PROGRAM
cd "$home"
for backend in torch jax; do
    KERAS_BACKEND=$backend KERAS_HOME="$home" venv/bin/python -W ignore program.py
done

#!/bin/bash
# Keras on PyTorch: with floatx in 16 bits a schedule counts and decays in 16 bits.
#
# Versions:  Keras 3.15.1, torch 2.13.0, jax 0.10.2, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: keras.config.set_floatx("bfloat16") makes the learning rate of any schedule a bfloat16 tensor on PyTorch, and
#            all that it is computed from: the count of steps, their number and the rate of decay.
#            ExponentialDecay(1e-3, 1, 0.999) stays at 1e-3 for ever, since 0.999 is 1 there; with
#            0.997, which is 0.99609, the rate is 2.5 times too small after 1000 steps and 16 times after 3000. With
#            "float16" a schedule of more than 65519 steps stays at its first rate, since the number of steps is
#            infinite, and is NaN from that step on. Nothing warns. On JAX the same programs have the right rates.
# Source:    keras/src/optimizers/schedules/learning_rate_schedule.py casts all to the dtype of the initial learning rate.
#            keras/src/backend/torch/core.py, convert_to_tensor: a Python float becomes floatx.
# Advice:    keras.config.set_dtype_policy("bfloat16") makes variables and layers bfloat16 and leaves floatx, and schedules,
#            in float32.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 || exit 2
"$home/venv/bin/pip" install --quiet keras==3.15.1 jax==0.10.2 torch==2.13.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import math
import os
import sys

os.environ["KERAS_BACKEND"] = sys.argv[1]
import keras
from keras.optimizers.schedules import CosineDecay, ExponentialDecay

right = {
    ("0.999", 3000): 1e-3 * 0.999**3000,
    ("0.997", 1000): 1e-3 * 0.997**1000,
    ("0.997", 3000): 1e-3 * 0.997**3000,
    ("cosine", 50000): 0.5e-3,
    ("cosine", 70000): 0.5e-3 * (1 + math.cos(0.7 * math.pi)),
}
ratios = {  # of the rates to the right ones, on PyTorch; of the cosine, in float16
    "bfloat16": {("0.999", 3000): 20.1, ("0.997", 1000): 0.404, ("0.997", 3000): 0.0631},
    "float16": {("cosine", 50000): 2.0, ("cosine", 70000): math.nan},
    "the policy bfloat16": dict.fromkeys(right, 1.0),
    "float32": dict.fromkeys(right, 1.0),
}


def rate(schedule, steps):
    """Return the learning rate of an optimizer that has made so many steps."""
    schedules = {
        "0.999": ExponentialDecay(1e-3, 1, 0.999),
        "0.997": ExponentialDecay(1e-3, 1, 0.997),
        "cosine": CosineDecay(1e-3, 100_000),
    }
    optimizer = keras.optimizers.SGD(schedules[schedule])
    optimizer.build([keras.Variable([1.0])])
    optimizer.iterations.assign(steps)
    return float(keras.ops.cast(optimizer.learning_rate, "float32"))


def near(found, described):
    return math.isnan(described) and math.isnan(found) or abs(found - described) < 0.01 * described


print(f"Keras {keras.__version__} on {sys.argv[1]}")
for floatx, cases in ratios.items():
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    if floatx.startswith("the policy"):
        keras.config.set_dtype_policy("bfloat16")
    else:
        keras.config.set_floatx(floatx)
    for case, described in cases.items():
        found = rate(*case) / right[case]
        print(f"  {floatx}: {case[0]} after {case[1]} steps has {found:.3g} times the right rate")
        if not near(found, described if sys.argv[1] == "torch" else 1.0):
            sys.exit("CHANGED")
print("as described")
PROGRAM
for backend in torch jax; do "$home/venv/bin/python" "$home/program.py" "$backend"; done

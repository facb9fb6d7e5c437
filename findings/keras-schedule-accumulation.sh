#!/bin/bash
# Keras: with gradient accumulation a schedule counts batches, and the optimizer counts updates.
#
# Versions:  Keras 3.15.1 on JAX 0.10.2, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: With gradient_accumulation_steps=N, optimizer.iterations and Adam's clock count the updates, one for N batches. A
#            schedule is called with the number of batches: one that is made for the updates, as the same run with
#            batches N times as large would have it, is at its end after 1/N of them, and the rest of the run is trained
#            with the rate that it ends at. In the example, of 8 updates 6 are made with a rate of 0. Nothing warns.
# Source:    keras/src/optimizers/base_optimizer.py: iterations divides _iterations by N; _get_current_learning_rate calls
#            the schedule with _iterations.
# Advice:    Count batches: multiply decay_steps, warmup_steps and boundaries by N.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet keras==3.15.1 jax==0.10.2 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import os
import sys

os.environ["KERAS_BACKEND"] = "jax"
import keras
import numpy as np
from keras.optimizers import SGD, LossScaleOptimizer, schedules

UPDATES, N = 8, 4
inputs = np.ones((UPDATES * N * 2, 1), dtype="float32")
targets = np.zeros_like(inputs)


def moved(batch, wrap=lambda optimizer: optimizer, stretch=1, **settings):
    """Return how far each update moves a weight whose gradient is 1, and how many updates the optimizer counts."""
    schedule = schedules.PolynomialDecay(1.0, UPDATES * stretch, end_learning_rate=0.0)
    inner = SGD(schedule, **settings)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.compile(wrap(inner), loss=lambda target, output: output)
    weights = [model.get_weights()[0].item()]
    for start in range(0, len(inputs), batch):
        model.train_on_batch(inputs[start : start + batch], targets[start : start + batch])
        weights.append(model.get_weights()[0].item())
    steps = -np.diff(weights)
    return steps.reshape(UPDATES, -1).sum(1), int(inner.iterations)


falling = 1 - np.arange(UPDATES) / UPDATES
spent = np.clip(1 - (np.arange(UPDATES) * N + N - 1) / UPDATES, 0, None)
cases = [  # the case, how it is trained, the rates of its updates
    ("no accumulation, batches of 8", {"batch": 8}, falling),
    ("4 batches of 2 an update", {"batch": 2, "gradient_accumulation_steps": N}, spent),
    ("the same, with loss scaling", {"batch": 2, "gradient_accumulation_steps": N, "wrap": LossScaleOptimizer}, spent),
]
print(f"Keras {keras.__version__}: the rates of {UPDATES} updates, with a schedule of {UPDATES} steps from 1 to 0")
for case, settings, expected in cases:
    found, counted = moved(**settings)
    print(f"  {case:30}" + "".join(f" {rate:.3f}" for rate in found) + f", counted: {counted}")
    if counted != UPDATES or not np.allclose(found, expected, atol=1e-5):
        sys.exit("CHANGED")
found, _ = moved(batch=2, gradient_accumulation_steps=N, stretch=N)
print(f"  {'a schedule that is 4 times as long':30}" + "".join(f" {rate:.3f}" for rate in found))
if not np.allclose(found, falling - (N - 1) / (UPDATES * N), atol=1e-5):
    sys.exit("CHANGED")
print("as described: the schedule is at its end after a fourth of the updates")
PROGRAM
"$home/venv/bin/python" -W ignore "$home/program.py"

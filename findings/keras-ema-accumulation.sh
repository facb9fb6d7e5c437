#!/bin/bash
# Keras: with gradient_accumulation_steps, use_ema averages and overwrites the weights once a batch, not once an update.
#
# Versions:  keras 3.15.1, jax 0.10.2, torch 2.13.0, numpy 2.4.6, Python 3.11.
# Behaviour: An optimizer that accumulates N gradients moves the weights at each Nth call. Its average of the weights
#            moves at every call, N times as fast as without accumulation: its memory is N times shorter. With
#            ema_overwrite_frequency the weights are overwritten N times in a row, and a run of the same updates arrives
#            at other weights. The documentation says that the frequency counts updates, and is silent on the momentum.
# Source:    keras/src/optimizers/base_optimizer.py, _backend_apply_gradients: the average lies outside of the branch
#            that is taken at an update, and `iterations` stays the same for N calls.
# Advice:    Give ema_momentum**(1/N), leave ema_overwrite_frequency out, and call finalize_variable_values at the end.
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

UPDATES = 10


def run(count, momentum, overwrite):
    """Return the weight after each update, and the average at the end; an update has `count` equal gradients."""
    weight = keras.Variable(np.ones(1, "float32"))
    optimizer = keras.optimizers.Adam(
        0.1,
        use_ema=True,
        ema_momentum=momentum,
        ema_overwrite_frequency=overwrite,
        gradient_accumulation_steps=count if count > 1 else None,
    )
    optimizer.build([weight])
    weights = []
    for _ in range(UPDATES):
        for _ in range(count):
            optimizer.apply([keras.ops.convert_to_tensor(np.full(1, 0.5, "float32"))])
        weights.append(number(weight))
    if int(optimizer.iterations) != UPDATES:
        sys.exit(f"CHANGED: {int(optimizer.iterations)} updates are counted, not {UPDATES}")
    return weights, number(optimizer._model_variables_moving_average[0])


def number(variable):
    return float(keras.ops.convert_to_numpy(variable)[0])


def at_each_call(weights, count):
    """Return the average with momentum 0.9 of the weights as they stand after each call."""
    average = 1.0
    for update, after in enumerate(weights):
        before = weights[update - 1] if update else 1.0
        for weight in [before] * (count - 1) + [after]:
            average = 0.9 * average + 0.1 * weight if update else weight
    return average


print(f"keras {keras.__version__}, {keras.backend.backend()} backend")
(weights, alone), (accumulated, four) = run(1, 0.9, None), run(4, 0.9, None)
print(f"  weight {weights[-1]:.6f} without accumulation, {accumulated[-1]:.6f} with 4 gradients an update; "
      f"average {alone:.4f} and {four:.4f}")
if not np.allclose(weights, accumulated, rtol=0, atol=1e-6):
    sys.exit("CHANGED: accumulation changes the weights")
if not np.isclose(alone, at_each_call(weights, 1), rtol=1e-5):
    sys.exit("CHANGED: without accumulation the average is another")
if not np.isclose(four, at_each_call(weights, 4), rtol=1e-5):
    sys.exit("CHANGED: the average does not move at each call")
(weights, _), (accumulated, _) = run(1, 0.9, 5), run(4, 0.9, 5)
print(f"  overwritten every 5 updates: weight {weights[-1]:.4f} and {accumulated[-1]:.4f}")
if np.isclose(weights[-1], accumulated[-1], rtol=1e-2):
    sys.exit("CHANGED: the weights are overwritten as without accumulation")
print("as described: the average counts calls, not updates")
PROGRAM
cd "$home"
for backend in jax torch; do
    KERAS_BACKEND=$backend KERAS_HOME="$home" venv/bin/python -W ignore program.py
done

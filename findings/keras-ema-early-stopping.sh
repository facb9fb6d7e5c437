#!/bin/bash
# Keras: EarlyStopping(restore_best_weights=True) takes the averaged weights out again.
#
# Versions:  Keras 3.15.1 on JAX 0.10.2, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: With use_ema=True fit ends by putting the averages in place of the weights. The callbacks' on_train_end comes
#            after that, and EarlyStopping(restore_best_weights=True) sets the weights of the best epoch there, as they were
#            without averaging: the trained model is, bit for bit, that of a run without use_ema. So it is whether training
#            stops early or not. Nothing warns. The score that chose the epoch is that of weights without averaging as well.
# Source:    keras/src/backend/*/trainer.py: fit calls finalize_variable_values, then callbacks.on_train_end.
# Advice:    Put keras.callbacks.SwapEMAWeights(swap_on_epoch=True) before EarlyStopping in the list: what is kept for each
#            epoch, and restored, is then averaged.
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
from keras.callbacks import Callback, EarlyStopping, SwapEMAWeights

random = np.random.default_rng(0)
inputs = random.normal(size=(64, 2)).astype("float32")
targets = (inputs.sum(1, keepdims=True) + random.normal(size=(64, 1))).astype("float32")


class Averages(Callback):
    """The averaged weights at the end of each epoch."""

    def __init__(self):
        super().__init__()
        self.kernels = []

    def on_epoch_end(self, epoch, logs=None):
        averages = [v for v in self.model.optimizer.variables if "average" in v.path]
        if averages:
            self.kernels.append(averages[0].numpy().ravel().copy())


def trained(callbacks, use_ema=True):
    """Return the kernel of a model after eight epochs, and the averages."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.05, use_ema=use_ema, ema_momentum=0.9), loss="mse")
    averages = Averages()  # is called first, before anything is swapped
    data = {"batch_size": 8, "epochs": 8, "verbose": 0, "validation_data": (inputs, targets)}
    model.fit(inputs, targets, callbacks=[averages, *callbacks], **data)
    return model.layers[0].kernel.numpy().ravel().copy(), averages.kernels


def is_average(kernel, averages):
    return any(np.array_equal(kernel, average) for average in averages)


print(f"Keras {keras.__version__}: the kernel that eight epochs end with")
alone, averages = trained([])
print(f"  use_ema: {alone}, the last average: {np.array_equal(alone, averages[-1])}")
for patience in 100, 2:
    plain, _ = trained([EarlyStopping(patience=patience, restore_best_weights=True)], use_ema=False)
    both, averages = trained([EarlyStopping(patience=patience, restore_best_weights=True)])
    swap = SwapEMAWeights(swap_on_epoch=True)
    swapped, swapped_averages = trained([swap, EarlyStopping(patience=patience, restore_best_weights=True)])
    print(f"  EarlyStopping(patience={patience}) alone: {plain}")
    print(f"  use_ema and EarlyStopping: {both}, an average: {is_average(both, averages)}")
    print(f"  with SwapEMAWeights before it: {swapped}, an average: {is_average(swapped, swapped_averages)}")
    if not np.array_equal(plain, both) or is_average(both, averages) or not is_average(swapped, swapped_averages):
        sys.exit("CHANGED")
if not np.array_equal(alone, trained([])[1][-1]):
    sys.exit("CHANGED")
print("as described: a run with use_ema ends as one without")
PROGRAM
"$home/venv/bin/python" "$home/program.py"

#!/bin/bash
# Keras: SwapEMAWeights leaves the wrong weights in the model after a run that stops early, and after predict.
#
# Versions:  Keras 3.15.1 on JAX 0.10.2, numpy 2.4.6, Python 3.11, on the CPU. On PyTorch it is the same.
# Behaviour: With SwapEMAWeights(swap_on_epoch=True) the averages are in the model at the end of each epoch, and the raw
#            weights in the optimizer. In the last epoch, the one whose number is epochs, both become the averages, since fit
#            then copies the optimizer's into the model. If another callback ends the run before (EarlyStopping,
#            TerminateOnNaN, stop_training), that is left out: fit copies the raw weights over the averages, which are
#            lost. The model is that of a run without use_ema, bit for bit, though it was scored, and its checkpoints
#            were saved, with averages. After model.predict(x, callbacks=[SwapEMAWeights()]) the model keeps the
#            averages, and the optimizer has the raw weights for averages. Nothing warns.
# Source:    keras/src/callbacks/swap_ema_weights.py: on_epoch_end compares the epoch with params["epochs"] - 1;
#            on_predict_end swaps if the averages are not in the model, and they are.
# Advice:    Where a run may stop early, leave swap_on_epoch at False, or let EarlyStopping restore the best weights.
#            Before a prediction call optimizer.finalize_variable_values(model.trainable_variables), which copies the averages
#            into the model, and keep the raw weights for a run that is to go on.
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
from keras.callbacks import EarlyStopping, SwapEMAWeights

random = np.random.default_rng(0)
inputs = random.normal(size=(64, 2)).astype("float32")
targets = (inputs.sum(1, keepdims=True) + random.normal(size=(64, 1))).astype("float32")
ASKED, STOPPED = 20, 5


def fitted(epochs, *callbacks, average=True):
    """Return a model that was trained for some epochs, with callbacks."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False)])
    model.compile(keras.optimizers.Adam(0.05, use_ema=average, ema_momentum=0.9), "mse")
    model.fit(inputs, targets, batch_size=16, epochs=epochs, shuffle=False, verbose=0, callbacks=list(callbacks))
    return model


def weights(model):
    return np.asarray(model.trainable_variables[0].value).ravel()


def averages(model):
    return np.asarray(model.optimizer._model_variables_moving_average[0].value).ravel()


def swap():
    return SwapEMAWeights(swap_on_epoch=True)


def stop():
    """A loss that has to fall by 1 an epoch does not, so that the fifth epoch is the last."""
    return EarlyStopping(monitor="loss", min_delta=1.0, patience=STOPPED - 1)


raw = weights(fitted(STOPPED, average=False))
averaged = weights(fitted(STOPPED))
print(f"keras {keras.__version__}: the weights after {STOPPED} epochs are {raw}, and their averages {averaged}")
cases = [  # the case, the epochs that are asked for, the callbacks, the weights that the model ends with
    (f"{STOPPED} epochs, SwapEMAWeights", STOPPED, [swap()], averaged),
    (f"{ASKED} epochs that end after {STOPPED}", ASKED, [stop()], averaged),
    (f"{ASKED} epochs that end after {STOPPED}, swap_on_epoch=False", ASKED, [SwapEMAWeights(), stop()], averaged),
    (f"{ASKED} epochs that end after {STOPPED}, swap_on_epoch=True", ASKED, [swap(), stop()], raw),
]
for case, epochs, callbacks, expected in cases:
    model = fitted(epochs, *callbacks)
    print(f"  {case:50} {weights(model)}, the optimizer's averages {averages(model)}")
    if raw.tolist() == averaged.tolist() or weights(model).tolist() != expected.tolist():
        sys.exit("CHANGED")
    if averages(model).tolist() != expected.tolist():
        sys.exit("CHANGED: the averages are kept")

model = fitted(STOPPED)
model.trainable_variables[0].assign(raw.reshape(2, 1))  # as in the middle of a run: raw weights beside their averages
before = weights(model), averages(model)
model.evaluate(inputs, targets, verbose=0, callbacks=[SwapEMAWeights()])
evaluated = weights(model), averages(model)
model.predict(inputs, verbose=0, callbacks=[SwapEMAWeights()])
predicted = weights(model), averages(model)
for when, pair in ("before", before), ("after evaluate", evaluated), ("after predict", predicted):
    print(f"  {when:50} {pair[0]}, the optimizer's averages {pair[1]}")
if not np.array_equal(before, evaluated) or not np.array_equal(before, predicted[::-1]):
    sys.exit("CHANGED")
print("as described: a run that stops early loses its averages, and predict leaves the weights swapped")
PROGRAM
"$home/venv/bin/python" -W ignore "$home/program.py"

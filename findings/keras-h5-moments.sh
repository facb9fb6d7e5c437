#!/bin/bash
# A Keras model loaded from .h5 has an optimizer without moments, and the next fit raises.
#
# Versions:  keras 3.15.1, h5py 3.16.0, jax 0.10.2, torch 2.13.0, numpy 2.4.6, Python 3.11.
# Behaviour: load_model("x.h5") builds the optimizer for none of a Sequential or functional model's variables. Of the
#            saved optimizer it loads the first two numbers, the iterations and the learning rate, and leaves the
#            moments out without a warning. The optimizer counts as built, so that fit raises ValueError on the
#            JAX and torch backends. After another compile() fit runs, with moments of zero. The file has them all.
#            .keras files load whole.
# Source:    keras/src/legacy/saving/legacy_h5_format.py, load_model_from_hdf5, builds for model._trainable_variables,
#            which lists no variable of a layer; Optimizer.set_weights stops where either list ends. The same in 3.16.0.
# Advice:    Save .keras. To go on from an .h5 file, compile again, build the optimizer for model.trainable_variables
#            and assign what is in the file, as the program below does.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet keras==3.15.1 h5py==3.16.0 jax==0.10.2 torch==2.13.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import logging
import sys

import h5py
import keras
import numpy as np

logging.disable(logging.WARNING)  # Keras calls .h5 legacy
x = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
print(f"keras {keras.__version__}, {keras.backend.backend()} backend")


def loss():
    return keras.losses.MeanSquaredError()


def values(optimizer):
    return [keras.ops.convert_to_numpy(v) for v in optimizer.variables]


def same(optimizer):
    return len(optimizer.variables) == len(saved) and all(map(np.array_equal, values(optimizer), saved))


model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(4), keras.layers.Dense(2)])
model.compile(optimizer=keras.optimizers.Adam(1e-2), loss=loss())
model.fit(x, x[:, :2], epochs=3, verbose=0)
saved = values(model.optimizer)
model.save("x.keras")
model.save("x.h5")

whole = keras.models.load_model("x.keras").optimizer
loaded = keras.models.load_model("x.h5")
print(f"  saved {len(saved)} variables of Adam; from .keras {len(whole.variables)}, from .h5 "
      f"{len(loaded.optimizer.variables)}, iterations {int(values(loaded.optimizer)[0])}")
if not same(whole):
    sys.exit("CHANGED: the .keras file does not load whole")
if len(loaded.optimizer.variables) != 2 or int(values(loaded.optimizer)[0]) != 3:
    sys.exit("CHANGED: the .h5 file loads with other variables")
try:
    loaded.fit(x, x[:, :2], verbose=0)
    sys.exit("CHANGED: fit goes on")
except ValueError as error:
    print(f"  fit: ValueError: {str(error).splitlines()[0][:70]}...")

loaded.compile(optimizer=keras.optimizers.Adam(1e-2), loss=loss())
loaded.optimizer.build(loaded.trainable_variables)
with h5py.File("x.h5") as file:
    group = file["optimizer_weights"]
    for variable, name in zip(loaded.optimizer.variables, group.attrs["weight_names"], strict=True):
        variable.assign(group[name][()])
if not same(loaded.optimizer):
    sys.exit("CHANGED: the .h5 file lacks the moments too")
print("as described: the moments are in the .h5 file, and load_model leaves them out")
PROGRAM
cd "$home"
for backend in jax torch; do
    KERAS_BACKEND=$backend KERAS_HOME="$home" venv/bin/python program.py
done

#!/bin/bash
# A Keras model with bfloat16 variables is saved to .h5 without an error, and the file does not load.
#
# Versions:  keras 3.15.1, h5py 3.16.0, ml_dtypes 0.6.0, jax 0.10.2, torch 2.13.0, numpy 2.4.6, Python 3.11.
# Behaviour: HDF5 has no bfloat16. model.save("x.h5") writes such variables, and Adam's moments of them, as opaque
#            two-byte elements (|V2) with no word of what they were. load_model("x.h5") then raises: TypeError
#            on the JAX backend, ValueError on the torch and NumPy backends, with compile=False as well.
#            .keras and .weights.h5 write the same bytes with an attribute dtype="bfloat16" and load exactly.
#            Models under the policy mixed_bfloat16 have float32 variables and are not concerned.
# Source:    keras/src/saving/saving_lib.py writes and reads the attribute (H5Entry), and
#            keras/src/legacy/saving/legacy_h5_format.py does not. github.com/keras-team/keras/issues/17069
#            is the same with TensorFlow 2.9.
# Advice:    Save .keras. The bytes in an .h5 file are right: dataset[()].view(ml_dtypes.bfloat16).
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet keras==3.15.1 h5py==3.16.0 ml_dtypes==0.6.0 jax==0.10.2 torch==2.13.0 \
    numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import logging
import sys

import h5py
import keras
import ml_dtypes
import numpy as np

logging.disable(logging.WARNING)  # Keras calls .h5 legacy
backend = keras.backend.backend()


def model(dtype, random):
    """A compiled model, its variables and those of its optimizer being random numbers."""
    layers = [keras.layers.Input((3,)), keras.layers.Dense(2, dtype=dtype)]
    made = keras.Sequential(layers)
    made.compile(optimizer="adam", loss=keras.losses.MeanSquaredError())
    made.optimizer.build(made.trainable_variables)
    for v in made.variables + made.optimizer.variables[2:]:
        v.assign(random.normal(size=v.shape))
    return made


def bits(variables):
    return [keras.ops.convert_to_numpy(v).tobytes() for v in variables]


def values(made):
    """The variables of the model and of its optimizer, with all their bits."""
    return bits(made.variables + made.optimizer.variables)


def datasets(path):
    """The element types in a file, and the attributes beside them."""
    seen = set()
    with h5py.File(path) as file:
        file.visititems(lambda _, x: seen.add((x.dtype.str, *x.attrs.values())) if hasattr(x, "dtype") else None)
    return sorted(seen)


random = np.random.default_rng(0)
print(f"keras {keras.__version__}, {backend} backend")
control, saved = model("float32", random), model("bfloat16", random)

control.save("float32.h5")
if bits(keras.models.load_model("float32.h5").variables) != bits(control.variables):
    sys.exit("CHANGED: the model in a float32 .h5 file does not load exactly either")

# Before the .h5 file, whose saving takes the optimizer from the model (keras-h5-optimizer.sh).
saved.save("x.keras")
saved.save_weights("x.weights.h5")
saved.save("x.h5")
print("  in x.weights.h5:", datasets("x.weights.h5"))
print("  in x.h5:        ", datasets("x.h5"))
if ("|V2", "bfloat16") not in datasets("x.weights.h5") or ("|V2",) not in datasets("x.h5"):
    sys.exit("CHANGED: the files hold something else")

other = model("bfloat16", random)
other.load_weights("x.weights.h5")
if values(other) != values(saved) or values(keras.models.load_model("x.keras")) != values(saved):
    sys.exit("CHANGED: .keras and .weights.h5 do not load exactly either")
print("  .keras and .weights.h5 load exactly")

expected = TypeError if backend == "jax" else ValueError
for compiled in (True, False):
    try:
        keras.models.load_model("x.h5", compile=compiled)
    except expected as error:
        print(f"  load_model('x.h5', compile={compiled}) raises {type(error).__name__}: {str(error).split('. ')[0]}")
    else:
        sys.exit("CHANGED: the .h5 file loads")

with h5py.File("x.h5") as file:
    groups = {"model_weights/dense_1": saved.variables, "optimizer_weights": saved.optimizer.variables[2:]}
    for group, variables in groups.items():
        for v in variables:
            read = file[group][v.path][()].view(ml_dtypes.bfloat16)
            if read.tobytes() != keras.ops.convert_to_numpy(v).tobytes():
                sys.exit("CHANGED: the bytes are not those of the variables")
print("  the bytes in x.h5, viewed as ml_dtypes.bfloat16, are the variables")
PROGRAM
cd "$home"
for backend in jax torch numpy; do
    KERAS_BACKEND=$backend KERAS_HOME="$home" venv/bin/python program.py
done
echo "as described: a bfloat16 model's .h5 file does not load on any of the three backends, its .keras file does"

#!/bin/bash
# Keras on TensorFlow: Adam and clipping take a token that comes k times in a batch for k gradients.
#
# Versions:  keras 3.15.1, tensorflow 2.21.0, tf_keras 2.21.0, jax 0.10.2, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: TensorFlow's gradient of an Embedding is an IndexedSlices, with a row for each token of the batch, repeated
#            ones too. Keras 3 squares the rows before they are added up: with k equal ones v is k * g**2 and should be
#            (k * g)**2, so that after the first step the row moves as far as sqrt(k) times what it should. Clipping
#            looks at the rows alone as well: the gradient that is left by global_clipnorm=1 has a norm of sqrt(k), by
#            clipvalue=1 an entry of k. So do Nadam, RMSprop, Adagrad and AMSGrad.
#            Keras on JAX adds the rows up, as does tf_keras (Keras 2) in its Adam; the norm of tf_keras is wrong too.
# Source:    keras/src/optimizers/adam.py, update_step: ops.square(gradient). keras/src/backend/tensorflow/sparse.py
#            squares the values of an IndexedSlices as they are. base_optimizer.py, _clip_gradients.
# Advice:    gradient_accumulation_steps=2 or more makes the gradients dense. In a loop of your own:
#            tf.convert_to_tensor(gradient) before apply_gradients.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet keras==3.15.1 tensorflow==2.21.0 tf_keras==2.21.0 jax==0.10.2 numpy==2.4.6 || exit 2
cat > "$home/fit.py" <<'PROGRAM'
import sys

import keras
import numpy as np

NAMES = "plain", "global_clipnorm=1", "clipvalue=1"


def after(count, optimizer):
    """Return the row of a token that comes `count` times in a batch, and its v or None, after two batches of fit."""
    layers = keras.layers
    ones = layers.Dense(1, use_bias=False, kernel_initializer="ones", trainable=False)
    model = keras.Sequential([layers.Embedding(4, 1, embeddings_initializer="zeros"), layers.Flatten(), ones])
    model.compile(optimizer, loss=lambda _, out: keras.ops.sum(out) / 8)
    tokens = np.array([[1] * count + [2] * (16 - count)])
    for _ in range(2):  # the second batch has the token once
        model.fit(tokens, np.zeros((1, 1)), epochs=1, verbose=0)
        tokens = np.array([[1] + [2] * 15])
    rows = keras.ops.convert_to_numpy(model.layers[0].embeddings)[:, 0]
    v = [x for x in optimizer.variables if x.path.endswith("embeddings_velocity")]
    return float(rows[1]), float(keras.ops.convert_to_numpy(v[0])[1, 0]) if v else None


def right(gradients):
    """Return the row and v of Adam in float64 after gradients."""
    p = m = v = 0.0
    for t, g in enumerate(gradients, 1):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        p -= 0.01 * m * (1 - 0.999**t) ** 0.5 / (1 - 0.9**t) / (v**0.5 + 1e-7)
    return p, v


sums = keras.backend.backend() != "tensorflow"
print(f"keras {keras.__version__} on {keras.backend.backend()}")
for count in 1, 4, 9:
    (p, v), (p_right, v_right) = after(count, keras.optimizers.Adam(0.01)), right([count / 8, 1 / 8])
    v_rows = 0.999 * 0.001 * count / 64 + 0.001 / 64  # the squares of the rows, added up
    print(f"  a token {count} times, then once: row {p:.5f}, should be {p_right:.5f}; v {v:.3g}, should be {v_right:.3g}")
    if not np.isclose(v, v_right if sums else v_rows, rtol=1e-3):
        sys.exit("CHANGED: v is another")
    if np.isclose(p, p_right, rtol=1e-3) != (sums or count == 1):
        sys.exit("CHANGED: the row moves otherwise")
PROGRAM
cat > "$home/clip.py" <<'PROGRAM'
import sys

import keras
import numpy as np
import tensorflow as tf
import tf_keras


def moved(library, variable, count, sparse, optimizer):
    """Return how far a step moves the row of a token that comes `count` times, each with a gradient of 1."""
    row = variable(np.zeros((4, 1), "float32"))
    with tf.GradientTape() as tape:
        table = row if library is tf_keras else row.value
        tokens = np.full(count, 2)
        rows = tf.gather(table, tokens) if sparse else tf.one_hot(tokens, 4) @ table
        loss = tf.reduce_sum(rows)
    optimizer.apply_gradients([(tape.gradient(loss, table), row)])
    return -float(np.asarray(row.numpy())[2, 0])


for library, variable in (keras, keras.Variable), (tf_keras, tf.Variable):
    print(f"{library.__name__} {library.__version__}: SGD(1), a token 9 times, each with a gradient of 1")
    for clip, found in ({"clipnorm": 1.0}, 3.0), ({"global_clipnorm": 1.0}, 3.0), ({"clipvalue": 1.0}, 9.0):
        steps = [moved(library, variable, 9, sparse, library.optimizers.SGD(1.0, **clip)) for sparse in (False, True)]
        print(f"  {clip}: moved {steps[0]:.3g} by a dense gradient, {steps[1]:.3g} by an IndexedSlices")
        if not np.allclose(steps, [1.0, found], rtol=1e-3):
            sys.exit("CHANGED: it is clipped otherwise")
    v = []
    for sparse in False, True:
        adam = library.optimizers.Adam(0.01)
        moved(library, variable, 9, sparse, adam)
        v.append(float(np.asarray(adam.variables[-1].numpy())[2, 0]))
    print(f"  Adam's v: {v[0]:.3g} by a dense gradient, {v[1]:.3g} by an IndexedSlices")
    if not np.allclose(v, [0.081, 0.081 if library is tf_keras else 0.009], rtol=1e-3):
        sys.exit("CHANGED: v is another")
print("as described: rows of one token are squared and clipped apart")
PROGRAM
cd "$home"
export KERAS_HOME="$home" TF_CPP_MIN_LOG_LEVEL=3 CUDA_VISIBLE_DEVICES=
KERAS_BACKEND=jax venv/bin/python -W ignore fit.py
KERAS_BACKEND=tensorflow venv/bin/python -W ignore fit.py
KERAS_BACKEND=tensorflow venv/bin/python -W ignore clip.py

"""A Keras optimizer, live and saved with its model."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

KERAS = """
import sys, numpy as np, keras
from adamcore.backends import states
from adamcore.backends.keras import Adam
from adamcore.errors import CheckpointError, ConversionError
from adamcore.backends.states.foreign import read
folder = sys.argv[1]
for make in (lambda: keras.optimizers.AdamW(0.125), lambda: keras.optimizers.Adam(0.125, amsgrad=True),
             lambda: Adam(0.125, dialect="torch.AdamW"), lambda: Adam(0.125, dialect="torch.NAdam")):
    layers = keras.layers
    net = keras.Sequential([layers.Input((3,)), layers.Dense(2, name="one"), layers.Dense(1)])
    net.compile(optimizer=make(), loss="mse")
    net.fit(np.ones((8, 3)), np.ones((8, 1)), batch_size=4, epochs=2, verbose=0)
    state = states.from_keras(net.optimizer)
    paths = [v.path for v in net.trainable_variables]
    assert list(state.leaves) == paths and state.one_clock() == 4, state.leaves.keys()
    other = make()
    other.build(net.trainable_variables)
    states.to_keras(state, other)
    for a, b in zip(net.optimizer.variables, other.variables):
        host = keras.ops.convert_to_numpy
        assert np.array_equal(host(a.value), host(b.value)), a.path
    if type(net.optimizer).__module__.startswith("keras"):
        net.save(folder + "/m.keras")
        again = read(folder + "/m.keras", names=paths, dialect=state.dialect,
                     hyper={"amsgrad": "uncorrected"} if state.adam.amsgrad != "none" else {})
        for name in paths:
            for part in ("m", "v", "v_max"):
                x, y = getattr(again.leaves[name], part), getattr(state.leaves[name], part)
                assert x is None and y is None or np.array_equal(x, y), (name, part)
        assert again.adam == state.adam and again.one_clock() == 4
try:
    states.to_keras(state, keras.optimizers.SGD(0.1))
    raise SystemExit("taken by SGD")
except CheckpointError as error:
    assert "SGD" in str(error)
narrow = Adam(0.125, dialect="torch.NAdam")
narrow.build([keras.Variable(np.ones(v.shape), dtype="float16", name=f"w{i}")
              for i, v in enumerate(net.trainable_variables)])
state = state.renamed({f"w{i}": name for i, name in enumerate(paths)})
for leaf in state.leaves.values():
    leaf.v[...] = 1e-8
before = [np.array(keras.ops.convert_to_numpy(v.value)) for v in narrow.variables]
try:
    states.to_keras(state, narrow)
    raise SystemExit("rounded")
except ConversionError as error:
    assert "is float32 in the state and float16 where it goes" in str(error), error
for old, v in zip(before, narrow.variables):
    assert np.array_equal(old, keras.ops.convert_to_numpy(v.value))
states.to_keras(state, narrow, narrow=True)
assert not keras.ops.convert_to_numpy(narrow._velocities[0].value).any()
"""


@pytest.mark.slow
def test_keras_live_and_on_file(tmp_path: Path) -> None:
    env = os.environ | {"KERAS_BACKEND": "torch"}
    done = subprocess.run(
        [sys.executable, "-c", KERAS, str(tmp_path)], env=env, text=True, capture_output=True
    )
    assert done.returncode == 0, done.stderr

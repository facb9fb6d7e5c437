"""docs/keras.md: its table of what Keras takes says what is so, on either of Keras' backends."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys

import pytest
from docs_pages import assert_every_kind, lost_links, rows_of
from paths import ROOT

PAGE = ROOT / "docs" / "keras.md"
ROWS = rows_of(PAGE)

#: Prints for each line how it went with Keras' optimizers and with ours.
SCRIPT = """
import json, pickle, sys
import keras, numpy as np
from keras import ops
from adamcore.backends import keras as ours
from adamcore.errors import AdamcoreError

def step(names):
    gradients = [ops.convert_to_tensor(names[name]) for name in ("g", "h")]
    names["opt"].apply(gradients, [names["w"], names["b"]])

def tried(library, line):
    names = {"keras": keras, "np": np, "pickle": pickle, "Adam": library.Adam, "AdamW": library.AdamW}
    names["w"] = keras.Variable(np.array([1.0, -2.0, 3.0], "float32"), name="w")
    names["b"] = keras.Variable(np.array([0.5], "float32"), name="b")
    names["g"], names["h"] = np.array([0.3, 0.7, -0.1], "float32"), np.array([-1.0], "float32")
    try:
        names["opt"] = library.Adam(0.1)
        step(names)
        exec(line, names)
        for _ in range(3):
            step(names)
    except Exception as error:
        return error
    found = [names["w"], names["b"], *([names["kept"]] if "kept" in names else [])]
    return [np.asarray(ops.convert_to_numpy(x), float) for x in found]

def judged(line):
    theirs, found = tried(keras.optimizers, line), tried(ours, line)
    if isinstance(theirs, Exception):
        return "same" if isinstance(found, Exception) else "more", repr((theirs, found))
    if isinstance(found, Exception):
        return "refused" if isinstance(found, AdamcoreError) else "broken", repr(found)
    close = all(np.allclose(x, y, rtol=2e-5, atol=2e-6) for x, y in zip(theirs, found, strict=True))
    return "same" if close else "otherwise", repr((theirs, found))

print(json.dumps([judged(line) for line in json.load(sys.stdin)]))
"""


def test_the_table_has_every_kind_of_row() -> None:
    assert_every_kind(ROWS)
    assert len(ROWS) >= 30


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("keras") is None, reason="Keras is not installed")
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_what_keras_takes_is_taken_as_the_table_says(backend: str) -> None:
    env = os.environ | {"KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"}
    lines = json.dumps([line for line, _, _ in ROWS])
    words = [sys.executable, "-W", "ignore", "-c", SCRIPT]
    done = subprocess.run(words, input=lines, env=env, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    pairs = zip(ROWS, json.loads(done.stdout.splitlines()[-1]), strict=True)
    assert [(line, here, *now) for (line, here, _), now in pairs if here != now[0]] == []


def test_links_lead_somewhere() -> None:
    assert lost_links(PAGE) == []

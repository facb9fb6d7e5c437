"""flax' tests of ``nnx.Optimizer``."""

from __future__ import annotations

from optax_suite import prepare, replace
from suite import Suite

SUITE = Suite(
    library="flax",
    repository="https://github.com/google/flax",
    tag="v{version}",
    folders=("tests/nnx",),
    directory="tests/nnx",
    arguments=("--noconftest", "optimizer_test.py"),
    packages=("flax", "optax", "jax", "jaxlib", "numpy", "absl-py"),
    replace=replace,
    prepare=prepare,
)

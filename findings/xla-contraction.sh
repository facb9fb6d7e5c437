#!/bin/bash
# XLA on the CPU rounds the same expression otherwise in arrays of other sizes.
#
# Versions:  jax 0.10.2, jaxlib 0.10.2, numpy 2.4.6, Python 3.11, Linux x86-64 with FMA.
# Behaviour: Of a*b - c*d one product is rounded and the other is not, as a fused multiply-add does it. Which
#            one depends on the size of the array: of 1000 numbers of float32, 118 have other bits if each is an
#            array of its own than if all are one. So the bits of a step of sharded parameters under jax.jit
#            may depend on the number of devices.
# Seen on:   AMD EPYC (family 25, model 17).
# Source:    XLA lets LLVM contract (llvm::FPOpFusion::Fast), also with xla_cpu_enable_fast_math=false; arrays of
#            one element go another way to machine code.
#
# Exit status: 0 as described, 1 changed.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6 || exit 2
JAX_PLATFORMS=cpu "$home/venv/bin/python" - <<'PROGRAM'
import sys

import jax
import jax.numpy as jnp
import numpy as np


@jax.jit
def step(p, g, t):
    lr = 0.1 / (1 - 0.9**t)
    return p + (-(lr * g) - p * 0.01)


p, g = np.random.default_rng(0).standard_normal((2, 1000)).astype("float32")
t = jnp.float32(3)
whole, found = np.asarray(step(p, g, t)), {}
for size in (1, 8, 40, 200):
    parts = [np.asarray(step(p[k : k + size], g[k : k + size], t)) for k in range(0, 1000, size)]
    found[size] = int((np.concatenate(parts) != whole).sum())
    print(f"jax {jax.__version__}: parts of {size}: {found[size]} of 1000 numbers are other than in one array")
if not found[1]:
    sys.exit("CHANGED: one number has the bits that it has in an array")
print("as described: one number is rounded otherwise than in an array")
PROGRAM

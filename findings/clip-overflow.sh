#!/bin/bash
# Clipping by a norm turns finite float32 gradients into zeros where their squares overflow.
#
# Versions:  torch 2.13.0, optax 0.2.8, jax 0.10.2, numpy 2.4.6, Python 3.11, Linux x86-64.
# Behaviour: with three gradients of 3e30 in float32, torch.nn.utils.clip_grad_norm_(p, 1.0) computes a norm of inf
#            and multiplies by 1/inf: the gradients become 0, and the step is one of momentum and decay alone.
#            error_if_nonfinite=True says so. optax.clip_by_global_norm(1.0) returns zeros too. The norm is
#            5.2e30, which float32 holds, and the gradients so clipped are 0.577.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 optax==0.2.8 jax==0.10.2 jaxlib==0.10.2 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import math
import sys

import jax.numpy as jnp
import numpy as np
import optax
import torch

p = torch.nn.Parameter(torch.zeros(3))
p.grad = torch.full((3,), 3e30)
norm = torch.nn.utils.clip_grad_norm_(p, 1.0).item()
clip = optax.clip_by_global_norm(1.0)
g = jnp.full(3, 3e30, jnp.float32)
found, _ = clip.update(g, clip.init(g))
wide = np.full(3, 3e30)
print(f"torch {torch.__version__}: norm {norm}, gradients {p.grad.tolist()}")
print(f"optax {optax.__version__}: gradients {np.asarray(found).tolist()}")
print(f"in float64: norm {np.linalg.norm(wide):.3g}, gradients {(wide / np.linalg.norm(wide)).tolist()}")
if not (math.isinf(norm) and p.grad.eq(0).all()):
    sys.exit("CHANGED: torch clips otherwise")
if np.any(np.asarray(found)):
    sys.exit("CHANGED: optax clips otherwise")
print("as described: finite gradients become zeros")
PROGRAM
"$home/venv/bin/python" "$home/program.py"

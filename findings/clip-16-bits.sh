#!/bin/bash
# The global norm of many gradients in bfloat16 stops growing, so that clipping leaves them too long.
#
# Versions:  optax 0.2.8 with jax 0.10.2, mlx 0.32.4, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: optax.global_norm adds up the squares of one array after the other in the gradients' dtype, as does
#            mlx.optimizers.clip_grad_norm. A sum in bfloat16 is not changed any more by what is under 1/512 of it. So
#            the norm of 512 arrays of norm 1 is 16, and should be 22.6; that of 2000 is 16 too, and should be 44.7.
#            Clipped to a norm of 1.0 they keep a norm of 2.8. Models whose layers are arrays of their own have as many.
#            In float16 optax' norm is infinite above 256, and all gradients become 0; MLX squares those in float32.
# Source:    optax/tree_utils/_tree_math.py, tree_norm and tree_sum. mlx/optimizers/optimizers.py, clip_grad_norm.
# Advice:    Cast the gradients to float32 before they are clipped.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet optax==0.2.8 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6 "mlx[cpu]==0.32.4" || exit 2
cat > "$home/program.py" <<'PROGRAM'
import math
import sys

import jax.numpy as jnp
import mlx.core as mx
import mlx.optimizers
import numpy as np
import optax


def with_optax(count, entry, dtype):
    """Return the norm of arrays of 64 equal entries, and that of the arrays clipped to 1.0, in float64."""
    arrays = [jnp.full(64, entry, dtype)] * count
    clip = optax.clip_by_global_norm(1.0)
    clipped, _ = clip.update(arrays, clip.init(arrays))
    return float(optax.global_norm(arrays)), length(np.asarray(x, np.float64) for x in clipped)


def with_mlx(count, entry, dtype):
    """Return the same."""
    arrays = {str(k): mx.full(64, entry, dtype=getattr(mx, dtype)) for k in range(count)}
    clipped, norm = mlx.optimizers.clip_grad_norm(arrays, 1.0)
    return float(norm), length(np.array(x.astype(mx.float32), np.float64) for x in clipped.values())


def length(arrays):
    return math.sqrt(sum(float((x * x).sum()) for x in arrays))


expected = [  # arrays, the entry of each, dtype, and the norms that are found
    (with_optax, 512, 0.125, "float32", math.sqrt(512)),
    (with_optax, 512, 0.125, "bfloat16", 16.0),
    (with_optax, 2000, 0.125, "bfloat16", 16.0),
    (with_mlx, 512, 0.125, "float32", math.sqrt(512)),
    (with_mlx, 512, 0.125, "bfloat16", 16.0),
    (with_mlx, 2000, 0.125, "bfloat16", 16.0),
    (with_optax, 100, 4.0, "float16", math.inf),
    (with_mlx, 100, 4.0, "float16", 320.0),
]
for norm_of, count, entry, dtype, norm in expected:
    found, clipped = norm_of(count, entry, dtype)
    right = 8 * entry * math.sqrt(count)
    print(f"{norm_of.__name__}: {count} arrays in {dtype}: norm {found:.4g}, should be {right:.4g}; clipped {clipped:.3g}")
    if not (found == norm or math.isclose(found, norm, rel_tol=1e-3)):
        sys.exit("CHANGED: another norm")
    if not math.isclose(clipped, right / norm, rel_tol=1e-2):
        sys.exit("CHANGED: the clipped gradients have another norm")
print("as described: the norm in 16 bits stops growing, and the gradients keep a norm above 1")
PROGRAM
"$home/venv/bin/python" -W ignore "$home/program.py"

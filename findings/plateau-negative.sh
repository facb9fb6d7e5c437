#!/bin/bash
# PyTorch and optax: a plateau of negative values is never seen; in optax with bfloat16, a falling loss is one.
#
# Versions:  torch 2.13.0, optax 0.2.8, jax 0.10.2, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: To ReduceLROnPlateau and optax.contrib.reduce_on_plateau a value below the best one times 1 - threshold is
#            an improvement. If the best is negative, that product lies above it, so that a loss of -1 that stands
#            still, or slowly becomes worse, improves in every step: the learning rate is never reduced. In PyTorch
#            mode="max" is alike. Apart from that, optax keeps the best value and the mean in the highest dtype among the parameters:
#            if all are bfloat16, a loss that falls by less than 0.4 % in patience steps is a plateau, and a training
#            that goes well is brought to a standstill. Nothing warns of either.
# Source:    torch/optim/lr_scheduler.py, ReduceLROnPlateau.is_better; optax/contrib/_reduce_on_plateau.py, init_fn and
#            _update_scale. pytorch/pytorch#47513 reports the sign; google-deepmind/optax#1767 would mend it.
# Advice:    Give threshold_mode="abs" in PyTorch, rtol=0 and an atol in optax; with bfloat16, begin with
#            state._replace(best_value=jnp.float32(jnp.inf), avg_value=jnp.float32(0)).
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 optax==0.2.8 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import sys

import jax
import jax.numpy as jnp
import torch
from optax import contrib
from torch.optim.lr_scheduler import ReduceLROnPlateau


def in_torch(values, **options):
    """Return what is left of the learning rate after these values."""
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.ones(1))], lr=1.0)
    scheduler = ReduceLROnPlateau(optimizer, factor=0.5, patience=10, **options)
    for value in values:
        scheduler.step(value)
    return optimizer.param_groups[0]["lr"]


def in_optax(values, dtype="float32", mended=False, **options):
    tx = contrib.reduce_on_plateau(factor=0.5, patience=10, **options)
    params = jnp.zeros(1, dtype)
    state = tx.init(params)
    if mended:
        state = state._replace(best_value=jnp.float32(jnp.inf), avg_value=jnp.float32(0))
    step = jax.jit(lambda value, state: tx.update(params, state, value=value)[1])
    for value in values:
        state = step(jnp.float32(value), state)
    return float(state.scale)


def tell(what, found, is_reduced):
    print(f"  {what:52}{found:.3g}")
    if (found < 0.1) != is_reduced:
        sys.exit("CHANGED: " + ("it is not reduced" if found >= 0.1 else "it is reduced"))


still = [1.0] * 200
negative = [-1.0] * 200
worse = [-1.0 + 0.00005 * k for k in range(200)]
falling = [2.0 * 0.9998**k for k in range(1000)]
print("what is left of the learning rate")
tell("torch, 1 for 200 steps", in_torch(still), True)
tell("torch, -1 for 200 steps", in_torch(negative), False)
tell("torch, from -1 to -0.99", in_torch(worse), False)
tell("torch, mode='max', -1 for 200 steps", in_torch(negative, mode="max"), False)
tell("torch, threshold_mode='abs', -1", in_torch(negative, threshold_mode="abs"), True)
tell("optax, 1 for 200 steps", in_optax(still), True)
tell("optax, -1 for 200 steps", in_optax(negative), False)
tell("optax, from -1 to -0.99", in_optax(worse), False)
tell("optax, rtol=0, atol=1e-4, -1", in_optax(negative, rtol=0.0, atol=1e-4), True)
tell("optax, from 2 to 1.64", in_optax(falling), False)
tell("optax, bfloat16, from 2 to 1.64", in_optax(falling, "bfloat16"), True)
tell("optax, bfloat16, begun in float32, from 2 to 1.64", in_optax(falling, "bfloat16", mended=True), False)
print("as described: plateaus that are none, and none that are")
PROGRAM
"$home/venv/bin/python" -W ignore "$home/program.py"

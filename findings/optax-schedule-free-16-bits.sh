#!/bin/bash
# optax: with one parameter in 16 bits, schedule_free averages no more than a few hundred steps, or none at all.
#
# Versions:  optax 0.2.8, jax 0.10.2, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: The parameters to evaluate are the average of all steps, weighted by lr**2. The weights and their sum are in
#            the lowest dtype among the parameters: one array in 16 bits, however small, is enough. In bfloat16 the sum
#            stands still after 256 to 512 steps, so that the average is of the last few hundred, however long the run.
#            In float16 lr**2 is 0 for an lr of 1e-4, and the parameters to evaluate are those of the start for ever;
#            those that are trained move by a tenth. Nothing warns. schedule_free_adamw and schedule_free_sgd are alike,
#            and so is schedule_free around any other optimizer.
# Source:    optax/contrib/_schedule_free.py, init_fn: params_dtype = optax.tree.dtype(params, 'lowest').
# Advice:    Keep all parameters in float32 and cast them in the loss, or begin with
#            state._replace(weight_sum=jnp.zeros(()), max_lr=jnp.zeros(())).
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet optax==0.2.8 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import sys

import jax
import jax.numpy as jnp
from optax import apply_updates, contrib

STEPS = 4000


def averaged(make, lr, dtype, mended=False):
    """Return where the average of a float32 parameter stands on its way, and how many steps it weighs.

    The gradient is constant, so the average of all steps stands halfway.

    Args:
        dtype: that of a second parameter.
    """
    tx = make(lr)
    params = {"w": jnp.zeros(1), "small": jnp.zeros(1, dtype)}
    gradients = jax.tree.map(lambda p: -jnp.ones_like(p), params)
    state = tx.init(params)
    if mended:
        state = state._replace(weight_sum=jnp.zeros(()), max_lr=jnp.zeros(()))

    def step(carry, _):
        params, state = carry
        updates, state = tx.update(gradients, state, params)
        return (apply_updates(params, updates), state), None

    (params, state), _ = jax.jit(lambda start: jax.lax.scan(step, start, length=STEPS))((params, state))
    part = contrib.schedule_free_eval_params(state, params)["w"] / state.z["w"]
    return float(part[0]), float(state.weight_sum) / lr**2


print(f"the average of {STEPS} steps, as a part of the way, and the steps in the sum of weights")
for make in contrib.schedule_free_adamw, contrib.schedule_free_sgd:
    for lr, dtype, low, high in (
        (1e-3, "float32", 0.49, 0.51),
        (1e-3, "bfloat16", 0.85, 0.95),
        (1e-4, "float32", 0.49, 0.51),
        (1e-4, "bfloat16", 0.85, 0.95),
        (1e-4, "float16", -0.01, 0.01),
    ):
        part, steps = averaged(make, lr, dtype)
        print(f"  {make.__name__:20} lr={lr:g}, another parameter in {dtype:9}{part:6.3f}, {steps:.0f} steps")
        if not low < part < high:
            sys.exit(f"CHANGED: the average is not between {low} and {high}")
    for dtype in "bfloat16", "float16":
        part, _ = averaged(make, 1e-4, dtype, mended=True)
        print(f"  {make.__name__:20} lr=0.0001, {dtype}, sums in float32: {part:.3f}")
        if not 0.49 < part < 0.51:
            sys.exit("CHANGED: sums in float32 do not mend it")
print("as described: one parameter in 16 bits decides how long all are averaged")
PROGRAM
"$home/venv/bin/python" -W ignore "$home/program.py"

#!/bin/bash
# jmp: min_loss_scale of DynamicLossScale is forgotten in jax.jit, and is 1 from then on.
#
# Versions:  jmp 0.0.4, jax 0.10.2, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: A DynamicLossScale that goes through jit, scan, tree.map or any other function of trees comes out with a
#            min_loss_scale of 1, whatever it was. A floor of 2**-10, for a loss so large that its float16 gradients
#            overflow at a scale of 1, is no longer there: the scale stops at 1, every gradient is infinite, and a loop
#            that leaves such steps out makes no step any more, in as many steps as one likes. A floor of 256 does not
#            hold: the scale falls to 1. Without jit both are right, and nothing warns. google-deepmind/jmp#44 proposed a
#            repair in 2023.
# Source:    jmp/_src/loss_scale.py: DynamicLossScale.tree_flatten leaves min_loss_scale out.
# Advice:    Put the floor back inside of the function that is compiled, before adjust:
#            dataclasses.replace(scale, min_loss_scale=...).
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet jmp==0.0.4 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import dataclasses
import sys
import warnings
from importlib.metadata import version

import jax
import jax.numpy as jnp
import jmp
import numpy as np

warnings.simplefilter("error")
STEPS = 200


def loss(w):
    """Return a loss whose gradient is 2**18 * w in float16: infinite at a scale of 1, and finite at one of 2**-3."""
    return (w.astype(jnp.float32) * 512.0).astype(jnp.float16).astype(jnp.float32) ** 2 / 2


def train(floor, first, wrap, put_back=False):
    """Return how many of the steps of a run moved the weight, and the last scale."""

    def step(w, scale):
        if put_back:
            scale = dataclasses.replace(scale, min_loss_scale=jnp.float32(floor))
        gradient = scale.unscale(jax.grad(lambda w: scale.scale(loss(w)))(w).astype(jnp.float32))
        finite = jmp.all_finite(gradient)
        scale = scale.adjust(finite)
        return jnp.where(finite, w - (gradient / 2**20).astype(w.dtype), w), scale, finite

    step = wrap(step)
    w, moved = jnp.float16(1.0), 0
    scale = jmp.DynamicLossScale(jnp.float32(first), min_loss_scale=jnp.float32(floor))
    for _ in range(STEPS):
        w, scale, finite = step(w, scale)
        moved += int(finite)
    return moved, float(scale.loss_scale)


def as_it_is(step):
    return step


def lowest(floor, wrap):
    """Return where the scale stops if all gradients are infinite."""
    adjust = wrap(lambda scale, finite: scale.adjust(finite))
    scale = jmp.DynamicLossScale(jnp.float32(2.0**15), min_loss_scale=jnp.float32(floor))
    for _ in range(40):
        scale = adjust(scale, np.array(False))
    return float(scale.loss_scale)


print(f"jmp {version('jmp')}, jax {version('jax')}: a loss with float16 gradients of 2**18")
runs = {
    "as it is": train(2.0**-10, 1.0, as_it_is),
    "jit": train(2.0**-10, 1.0, jax.jit),
    "jit, the floor put back": train(2.0**-10, 1.0, jax.jit, put_back=True),
}
for label, (moved, scale) in runs.items():
    print(f"  min_loss_scale=2**-10, {label:24} {moved} of {STEPS} steps move the weight, the last scale is {scale:g}")
floors = {(floor, wrap.__name__): lowest(floor, wrap) for floor in (2.0**-10, 256.0) for wrap in (as_it_is, jax.jit)}
for (floor, name), scale in floors.items():
    print(f"  min_loss_scale={floor:<12g} {name:10} the scale stops at {scale:g}")
    if scale != (floor if name == "as_it_is" else 1.0):
        sys.exit("CHANGED: another floor")
if runs["jit"] != (0, 1.0):
    sys.exit("CHANGED: a step is made")
if min(runs["as it is"][0], runs["jit, the floor put back"][0]) < STEPS - 20:
    sys.exit("CHANGED: steps are left out without jit as well")
print("as described: the floor is 1 under jit")
PROGRAM
"$home/venv/bin/python" "$home/program.py"

#!/bin/bash
# optax: one NaN in one accumulated gradient stays in MultiSteps for ever, and a guard inside of it stops the training.
#
# Versions:  optax 0.2.8, jax 0.10.2, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: optax.MultiSteps(optax.apply_if_finite(optax.adam(0.1), 5), 2) gets one gradient that is NaN or infinite.
#            What it has accumulated is NaN from then on, also after the update: it is multiplied by 0 to begin anew, and
#            0*NaN is NaN. So no update is finite any more. The parameters stand still, and become NaN once the guard has
#            counted more than 5 in a row; without MultiSteps it leaves out one step, and the run goes on. With
#            optax.chain(optax.zero_nans(), optax.adam(0.1)) inside, the gradient of that element is 0 from then on: it
#            moves by what is left of its momentum, and then no more.
# Source:    optax/transforms/_accumulation.py, MultiSteps.update: (1 - emit) * ga. google-deepmind/optax#828 has the
#            case of zero_nans.
# Advice:    should_skip_update_fn=optax.skip_not_finite, or the guard around MultiSteps: both leave that gradient out.
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
import optax

UPDATES, EVERY, BAD = 200, 2, 7


def run(tx, bad, every=EVERY):
    """Return the parameter after 8 and after 200 updates from 0 by gradients of p - 4, of which one is bad."""

    @jax.jit
    def step(p, state, number):
        gradient = jnp.where(number == BAD, bad, p - 4.0)
        updates, state = tx.update(gradient, state, p)
        return optax.apply_updates(p, updates), state

    p = jnp.zeros(())
    state, found = tx.init(p), []
    for number in range(UPDATES * every):
        p, state = step(p, state, number)
        found.append(float(p))
    return round(found[8 * every - 1], 3), round(found[-1], 3)


def guarded(optimizer):
    return optax.apply_if_finite(optimizer, 5)


adam = optax.adam(0.1)
without_nans = optax.chain(optax.zero_nans(), adam)
cases = {
    "a guard, without MultiSteps": (run(guarded(adam), jnp.nan, every=1), True),
    "a guard inside, no NaN": (run(optax.MultiSteps(guarded(adam), EVERY), 0.0), True),
    "a guard inside": (run(optax.MultiSteps(guarded(adam), EVERY), jnp.nan), False),
    "a guard inside, an infinity": (run(optax.MultiSteps(guarded(adam), EVERY), jnp.inf), False),
    "zero_nans inside": (run(optax.MultiSteps(without_nans, EVERY), jnp.nan), False),
    "a guard outside": (run(guarded(optax.MultiSteps(adam, EVERY).gradient_transformation()), jnp.nan), True),
    "skip_not_finite": (
        run(optax.MultiSteps(adam, EVERY, should_skip_update_fn=optax.skip_not_finite), jnp.nan),
        True,
    ),
}
print(f"optax {optax.__version__}: p after 8 and after {UPDATES} updates; it should come near 4")
for name, ((early, late), arrives) in cases.items():
    print(f"  {name}: {early}, {late}")
    if (abs(late - 4) < 0.05) != arrives:
        sys.exit("CHANGED")
print("as described: with MultiSteps outside, one bad gradient ends the training")
PROGRAM
"$home/venv/bin/python" -W ignore "$home/program.py"

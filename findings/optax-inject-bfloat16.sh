#!/bin/bash
# optax: with bfloat16 parameters, inject_hyperparams around Adam turns every parameter into NaN.
#
# Versions:  optax 0.2.8, jax 0.10.2, Python 3.11, on the CPU.
# Behaviour: optax.inject_hyperparams(optax.adamw)(learning_rate=0.1) injects every number that is a float, the
#            defaults too, and rounds each to the widest dtype among the parameters. If all of them are bfloat16, b2=0.999
#            becomes 1. The second moment then stays 0, 1-b2**t is 0, and the first step is 0/0. A learning rate that is
#            a schedule does not change that. optax.adamw alone trains. A beta that does not become 1 is another number in
#            silence: b2=0.99 is 0.98828, a memory of 85 steps in place of 100.
# Source:    optax/schedules/_inject.py: the dtype is hyperparam_dtype, or else the highest of the parameters.
#            google-deepmind/optax#1414 asks for another dtype.
# Advice:    Give hyperparam_dtype=jnp.float32, or inject the learning rate alone (static_args for the others).
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


def run(tx, dtypes=("bfloat16", "bfloat16")):
    """Return the parameters after three steps from 1 with gradients of 1, and the b2 that was injected."""
    params = [jnp.ones((), dtype) for dtype in dtypes]
    state = tx.init(params)
    for _ in range(3):
        updates, state = jax.jit(tx.update)([jnp.ones((), dtype) for dtype in dtypes], state, params)
        params = optax.apply_updates(params, updates)
    return [float(p) for p in params], float(getattr(state, "hyperparams", {}).get("b2", jnp.nan))


schedule = optax.linear_schedule(0.1, 0.09, 10)
cases = {
    "adamw": run(optax.adamw(0.1)),
    "injected": run(optax.inject_hyperparams(optax.adamw)(learning_rate=0.1)),
    "injected, a schedule": run(optax.inject_hyperparams(optax.adamw)(learning_rate=schedule)),
    "injected, b2=0.99": run(optax.inject_hyperparams(optax.adamw)(learning_rate=0.1, b2=0.99)),
    "injected, one float32": run(optax.inject_hyperparams(optax.adamw)(learning_rate=0.1), ("bfloat16", "float32")),
    "injected in float32": run(optax.inject_hyperparams(optax.adamw, hyperparam_dtype=jnp.float32)(learning_rate=0.1)),
}
print(f"optax {optax.__version__}")
for name, (params, b2) in cases.items():
    print(f"  {name}: {params}, b2={b2:.6g}")
for name, (params, b2) in cases.items():
    lost = any(p != p for p in params)
    if lost != (name in ("injected", "injected, a schedule")):
        sys.exit(f"CHANGED: {name} {'is' if lost else 'is not'} NaN")
if cases["injected, b2=0.99"][1] != 0.98828125:
    sys.exit("CHANGED: b2=0.99 is not rounded to bfloat16")
print("as described: b2=0.999 is injected as 1, and the parameters are NaN")
PROGRAM
"$home/venv/bin/python" -W ignore "$home/program.py"

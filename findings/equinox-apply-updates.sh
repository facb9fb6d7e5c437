#!/bin/bash
# equinox: apply_updates makes a float32 model of one in bfloat16, where optax' function of that name keeps the dtype.
#
# Versions:  equinox 0.13.8, optax 0.2.8, jax 0.10.2, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: optax.adamw(0.1, mu_dtype=jnp.float32), which keeps the first moment exact, returns updates in float32. With
#            eqx.apply_updates a bfloat16 model is float32 after the first step, without a word. It takes twice the
#            memory, a compiled step is compiled again, and what is saved does not load into the model that was meant
#            (eqx.tree_deserialise_leaves raises). The loop trains in float32, and not in bfloat16.
# Source:    equinox/_update.py: p + u. optax/_src/update.py casts the sum to the parameter's dtype.
# Advice:    params, static = eqx.partition(model, eqx.is_inexact_array), optax.apply_updates, eqx.combine. A cast of the
#            update to bfloat16 before the addition is rounded twice.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet equinox==0.13.8 optax==0.2.8 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import io
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import optax


def by_equinox(model, updates):
    return eqx.apply_updates(model, updates)


def by_optax(model, updates):
    params, static = eqx.partition(model, eqx.is_inexact_array)
    return eqx.combine(optax.apply_updates(params, updates), static)


def run(apply, **options):
    """Return the dtype of a model's weights after two steps, the programs compiled, and the error of loading them."""
    start = model = eqx.nn.Linear(2, 2, dtype=jnp.bfloat16, key=jax.random.key(0))
    tx = optax.adamw(0.1, **options)
    state = tx.init(eqx.filter(model, eqx.is_inexact_array))

    @jax.jit
    def update(params, state):
        return tx.update(jax.tree.map(jnp.ones_like, params), state, params)

    for _ in range(2):
        updates, state = update(eqx.filter(model, eqx.is_inexact_array), state)
        model = apply(model, updates)
    file = io.BytesIO()
    eqx.tree_serialise_leaves(file, model)
    file.seek(0)
    try:
        eqx.tree_deserialise_leaves(file, start)
    except RuntimeError as error:
        return model.weight.dtype.name, update._cache_size(), str(error)
    return model.weight.dtype.name, update._cache_size(), None


print(f"equinox {eqx.__version__}, optax {optax.__version__}")
for apply, options, dtype in (
    (by_equinox, {}, "bfloat16"),
    (by_equinox, {"mu_dtype": jnp.float32}, "float32"),
    (by_optax, {"mu_dtype": jnp.float32}, "bfloat16"),
):
    found, programs, error = run(apply, **options)
    print(f"  {apply.__name__}, {options or 'as it is'}: {found}, {programs} programs, loading: {error or 'well'}")
    if found != dtype or (programs == 2) != (dtype == "float32") or (error is not None) != (dtype == "float32"):
        sys.exit("CHANGED")
print("as described: float32 updates make a float32 model")
PROGRAM
"$home/venv/bin/python" -W ignore "$home/program.py"

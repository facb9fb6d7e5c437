#!/bin/bash
# optax: inject_hyperparams calls a mask that is a function with the count of steps, and every weight decays, or none.
#
# Versions:  optax 0.2.8, jax 0.10.2, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: optax.adamw(lr, mask=f) calls f with the parameters. Inside of optax.inject_hyperparams f is taken for a
#            schedule and called with the count of steps, an array without dimensions. Masks in common use do not fail
#            there, and return one bool for the one leaf: with tree.map(lambda p: p.ndim > 1, ...) nothing decays, with
#            p.ndim != 1, or a test for the name "bias" in a path, everything does. Nothing warns, under jit neither.
#            lamb, lion, nadamw and adan are the same. The documentation says that callables are schedules.
# Source:    optax/schedules/_inject.py: what is callable and not in static_args becomes a schedule.
#            google-deepmind/optax#1373 is about a mask that fails there.
# Advice:    Give static_args="mask", or the tree that the function returns.
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

PARAMS = {"bias": jnp.ones(2), "kernel": jnp.ones((2, 2))}


def decayed(tx):
    """Return the names of the parameters that two steps with gradients of 0 move."""
    state, params = tx.init(PARAMS), PARAMS
    for _ in range(2):
        updates, state = jax.jit(tx.update)(jax.tree.map(jnp.zeros_like, params), state, params)
        params = optax.apply_updates(params, updates)
    return [name for name, p in params.items() if (p != PARAMS[name]).any()]


def matrices(params):
    return jax.tree.map(lambda p: p.ndim > 1, params)


def no_vectors(params):
    return jax.tree.map(lambda p: p.ndim != 1, params)


def no_bias(params):
    return jax.tree_util.tree_map_with_path(lambda path, _: "bias" not in jax.tree_util.keystr(path), params)


expected = {matrices: [], no_vectors: ["bias", "kernel"], no_bias: ["bias", "kernel"]}
print(f"optax {optax.__version__}: what decays")
for name in "adamw", "lamb", "lion", "nadamw", "adan":
    factory = getattr(optax, name)
    injected, static = optax.inject_hyperparams(factory), optax.inject_hyperparams(factory, static_args="mask")
    for mask, others in expected.items():
        settings = {"learning_rate": 0.1, "weight_decay": 0.1}
        found = [decayed(make(**settings, mask=mask)) for make in (factory, injected, static)]
        found.append(decayed(injected(**settings, mask=mask(PARAMS))))
        print(f"  {name}, {mask.__name__}: alone {found[0]}, injected {found[1]}")
        if found != [["kernel"], others, ["kernel"], ["kernel"]]:
            sys.exit(f"CHANGED: with static_args {found[2]}, with a tree {found[3]}")
print("as described: a mask is called as a schedule")
PROGRAM
"$home/venv/bin/python" -W ignore "$home/program.py"

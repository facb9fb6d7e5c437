"""A factory whose module computes with JAX when it is imported."""

import jax.numpy as jnp
import optax

ONE = jnp.ones(3) + 1
adamw = optax.adamw

"""Right Adams in orders of evaluation that a generator has drawn, in JAX."""

from __future__ import annotations

import adams
import jax.numpy as jnp
from flat import A
from jax import Array
from orders import NumpyForms, reordered
from register import right


class JaxForms:
    """The functions of a form in JAX."""

    sqrt, maximum = jnp.sqrt, jnp.maximum
    lerp, addcmul, addcdiv = NumpyForms.lerp, NumpyForms.addcmul, NumpyForms.addcdiv

    @staticmethod
    def array(x: A) -> Array:
        return jnp.asarray(x)

    @staticmethod
    def fma(a: float | Array, x: Array, y: Array) -> Array:
        return a * x + y


for base in (adams.Optax, adams.AdamW, adams.OptaxAMSGrad):
    made = reordered(base, 200, __name__, JaxForms, flushes_subnormals=True)
    globals()[made.__name__] = right()(made)

"""JAX, eager and under its transformations; trees by jax.tree_util."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.shard_alike import shard_alike

from adamcore.backends.arrays import dtype_name
from adamcore.backends.base import BaseBackend, FastPath
from adamcore.backends.jax import batches, clocks, fast
from adamcore.backends.jax.rows import ROWS
from adamcore.backends.jax.words import WORDS
from adamcore.backends.kernels import llvm
from adamcore.backends.kernels.norms import norms_at
from adamcore.backends.kernels.table import run_parallel
from adamcore.coefficients import Traced
from adamcore.definition import Coefficients, Numbers
from adamcore.errors import BackendError
from adamcore.protocol import Kind, RowFunctions
from adamcore.registry import PLAIN
from adamcore.step.rows import Rows
from adamcore.storage.bits import TableWords
from adamcore.types import Array, Clock, Scalar, Tree

NORMED = {"bfloat16", "float16", "float32", "float64"}  #: dtypes of which machine code forms norms


def is_leaf(x: object) -> bool:
    """True for what is a leaf here and not to JAX: an absent gradient, and one of which rows are given."""
    return x is None or type(x) is Rows


def x64() -> bool:
    """True if JAX has 64-bit dtypes here and now."""
    return bool(jax.config.jax_enable_x64)  # type: ignore[attr-defined]


def check_depth(tree: Tree) -> None:
    """Raise RecursionError for a tree that contains itself, which JAX's own functions do not survive.

    ``jax.tree_util.tree_flatten`` (0.10.2) ends with a SystemError, and no recursion is possible after it.
    """
    children = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, PLAIN) else ()
    for child in children:
        if isinstance(child, PLAIN):
            check_depth(child)


class JaxBackend(BaseBackend):
    """JAX; a tracer is never looked into."""

    name = "jax"
    sorts_keys: bool | None = True
    fast: FastPath | None = fast
    flushes = True  # XLA on CPU; where it doesn't, an eps that small is of no more use

    def owns(self, leaf: object) -> bool:
        return isinstance(leaf, jax.Array)

    def namespace(self, like: Array) -> Any:
        return jnp

    def device(self, leaf: Array) -> Any:
        return None  # JAX places uncommitted arrays itself, and says so where it can't

    def host(self, x: Array) -> Any:
        if isinstance(x, jax.core.Tracer) or not x.is_fully_addressable:
            return None
        return np.asarray(x).item()  # a fifth of the time of x.item()

    def full(self, value: float, dtype: Any, like: Array) -> Array:
        return jnp.asarray(value, dtype=dtype)

    def full_each(self, values: Sequence[float], dtype: Any, like: Array) -> list[Array]:
        return batches.scalars(values, dtype) or super().full_each(values, dtype, like)

    def zeros(self, like: Array, dtype: Any) -> Array:
        """Return zeros on the devices of ``like``, also where only the compiler will know these."""
        zeros = jnp.zeros_like(like, dtype=dtype)
        return shard_alike(zeros, like)[0] if isinstance(like, jax.core.Tracer) else zeros

    def where(self, condition: Array, new: Array, old: Array) -> Array:
        return jnp.where(condition, new, old)

    def kind(self, dtype: Any) -> Kind:
        if jnp.issubdtype(dtype, jnp.floating):
            return "real"
        return "complex" if jnp.issubdtype(dtype, jnp.complexfloating) else "other"

    def finfo(self, dtype: Any) -> Any:
        return jnp.finfo(dtype)

    def dtype_named(self, name: str, like: Array) -> Any:
        try:
            dtype = jnp.dtype(name)
        except TypeError as error:
            raise LookupError(f"JAX has no dtype {name!r}") from error
        if name in ("float64", "complex128") and not x64():
            raise LookupError(f"JAX has no {name} until jax.config.update('jax_enable_x64', True)")
        return dtype

    def coefficient_dtype(self, like: Array) -> Any:
        return jnp.dtype("float64" if x64() else "float32")

    def bits_of_floats(self) -> TableWords | None:
        return WORDS

    def rows(self) -> RowFunctions | None:
        return ROWS

    def part_of(self, dtype: Any, like: Array) -> Any:
        return jnp.finfo(dtype).dtype

    def complex_of(self, dtype: Any, like: Array) -> Any:
        name = dtype_name(dtype)
        if name not in ("float32", "float64"):
            raise LookupError(f"JAX has no complex dtype of {name} parts")
        return jnp.dtype("complex64" if name == "float32" else "complex128")

    def join(self, re: Array, im: Array, dtype: Any) -> Array:
        part = self.part_of(dtype, re)
        return jax.lax.complex(self.cast(re, part), self.cast(im, part))

    def flatten(self, tree: Any) -> tuple[list[Any], Any]:
        check_depth(tree)
        return jax.tree_util.tree_flatten(tree, is_leaf=is_leaf)

    def unflatten(self, structure: Any, leaves: Sequence[Any]) -> Any:
        return jax.tree_util.tree_unflatten(structure, leaves)

    def paths(self, tree: Any) -> list[str]:
        return [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(tree, is_leaf)]

    def norms(self, gs: Sequence[Array], wheres: Sequence[Array | None]) -> Sequence[Scalar]:
        """Return the norm of each gradient: of concrete ones in one program, and in one transfer.

        Raises:
            BackendError: a gradient is a part that one device of a ``shard_map`` has.
        """
        if any(isinstance(x, jax.core.Tracer) for x in (*gs, *wheres)):
            for g in gs:
                check_whole(g)
            return [self.norm(g, where) for g, where in zip(gs, wheres, strict=True)]
        quick = norms_on_cpu(gs) if all(where is None for where in wheres) else None
        if quick is not None:
            return quick
        found = vector_of_norms(list(gs), list(wheres))
        return np.asarray(found).tolist() if found.is_fully_addressable else list(found)

    def tick_each(
        self,
        ts: Sequence[Clock],
        successor: Callable[[Array], Array],
        coefficients: Callable[[Array], Coefficients],
    ) -> list[tuple[Clock, Coefficients]] | None:
        return clocks.tick_each(ts, successor, coefficients)

    def numbers(self, like: Array) -> Numbers:
        return Traced(jnp, self.coefficient_dtype(like))


def norms_on_cpu(gs: Sequence[Array]) -> list[float] | None:
    """Return the norms of concrete arrays by machine code, in float64; None where it can't read them."""
    if not llvm.available() or any([each.platform for each in g.devices()] != ["cpu"] for g in gs):
        return None
    here: list[Any] = list(map(np.asarray, gs))  # XLA's own memory
    dtypes: set[Any] = {str(x.dtype) for x in here}
    if len(dtypes) > 1 or not dtypes <= NORMED or not all(x.flags.c_contiguous for x in here):
        return None
    addresses = array("q", (x.__array_interface__["data"][0] for x in here))
    found = norms_at(dtypes.pop(), addresses, [x.size for x in here], run_parallel)
    known = [n for n in found if n is not None]
    return known if len(known) == len(found) else None


@jax.jit
def vector_of_norms(gs: list[Array], wheres: list[Array | None]) -> Array:
    """Return the norms of gradients as a vector."""
    return jnp.stack([backend.norm(g, where) for g, where in zip(gs, wheres, strict=True)])


def check_whole(g: Array) -> None:
    """Raise BackendError if a gradient may differ between the devices that run this ``shard_map``."""
    axes = jax.sharding.get_abstract_mesh().manual_axes
    if not axes:
        return
    if varies(g) or not varies(jax.lax.axis_index(axes[0])):  # nothing is told under check_vma=False
        raise BackendError(
            f"a gradient of shape {tuple(g.shape)} inside shard_map over {', '.join(map(repr, axes))}: "
            "expected a whole one, as the norm of a part is not that of the gradient; give Clip.total, or "
            "make the step outside of shard_map"
        )


def varies(x: Array) -> bool:
    """True if an array inside of ``shard_map`` is known to differ between devices."""
    kind = jax.typeof(x)
    return bool(kind.vma if hasattr(kind, "vma") else kind.manual_axis_type.varying)  # JAX 0.8, 0.10


backend = JaxBackend()

"""What a step asks of the arrays of any library (:class:`ArrayOperations`), by the array API alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import array_api_compat

from adamcore.jobs import Columns
from adamcore.protocol import Kind, RowFunctions
from adamcore.storage.bits import TableWords
from adamcore.types import Array, Scalar

PARTS = {"complex64": "float32", "complex128": "float64"}


class Float(NamedTuple):
    """The facts on a floating dtype that :meth:`ArrayOperations.finfo` returns."""

    bits: int
    smallest_normal: float
    eps: float


FLOATS = {
    "bfloat16": Float(16, 2.0**-126, 2.0**-7),
    "float16": Float(16, 2.0**-14, 2.0**-10),
    "float32": Float(32, 2.0**-126, 2.0**-23),
    "float64": Float(64, 2.0**-1022, 2.0**-52),
}


class ArrayOperations:
    """The part of a backend that is of arrays: their values, their dtypes, their complex numbers."""

    name = "array"
    flushes = False

    # ------------------------------------------------------------------------------- arrays

    def owns(self, leaf: object) -> bool:
        return array_api_compat.is_array_api_obj(leaf)

    def refuse(self, leaf: Array) -> str | None:
        return None

    def namespace(self, like: Array) -> Any:
        return array_api_compat.array_namespace(like)

    def identity(self, leaf: Array) -> int | None:
        return id(leaf)

    def identities(self, leaves: Sequence[Array]) -> set[int | None]:
        return {*map(self.identity, leaves)}

    def overlap(self, columns: Columns) -> tuple[int, int] | None:
        """Return two jobs of which one writes to the other's memory; None if this library writes to none."""
        return None

    def uniform(self, columns: Columns) -> bool:
        """True if arrays are alike; never, where to find out takes as long as to look at each."""
        return False

    def device(self, leaf: Array) -> Any:
        return array_api_compat.device(leaf)

    def host(self, x: Array) -> Any:
        """Return the value of a 0-d array (a lazy library such as Dask computes it); None if it is traced."""
        try:
            return x.item() if hasattr(x, "item") else x.__index__() if self.integer(x.dtype) else float(x)
        except (TypeError, ValueError, AttributeError, NotImplementedError):
            return None

    def integers(self, xs: Sequence[Array]) -> list[int] | None:
        if not all(self.owns(x) and x.shape == () for x in xs) or not self.integer(xs[0].dtype):
            return None
        if any(x.dtype != xs[0].dtype for x in xs):
            return None
        values = list(map(self.host, xs))
        return None if None in values else values

    def full(self, value: float, dtype: Any, like: Array) -> Array:
        return self.namespace(like).asarray(value, dtype=dtype, device=self.device(like))

    def full_each(self, values: Sequence[float], dtype: Any, like: Array) -> list[Array]:
        """Return a 0-d array for each value; a library that has them at once from a vector overrides it."""
        return [self.full(value, dtype, like) for value in values]

    def zeros(self, like: Array, dtype: Any) -> Array:
        return self.namespace(like).zeros_like(like, dtype=dtype)

    def where(self, condition: Array, new: Array, old: Array) -> Array:
        return self.namespace(new).where(condition, new, old)

    def cast(self, x: Array, dtype: Any) -> Array:
        """Return ``x`` in ``dtype``: itself, if it is of that dtype already."""
        return x if x.dtype == dtype else self.namespace(x).astype(x, dtype)

    def divided(self, g: Array, scale: Any, work: Any) -> Array:
        """Return ``g / scale`` in the dtype ``work``; both parts of a complex ``g`` are divided."""
        by = self.cast(scale, work) if hasattr(scale, "dtype") and self.owns(scale) else scale
        return self.by_parts(g, work, lambda x: x / by)

    def by_parts(self, g: Array, work: Any, function: Callable[[Array], Array]) -> Array:
        """Return what a function makes of ``g`` in the dtype ``work``, or of both its parts."""
        if self.kind(g.dtype) != "complex":
            return function(self.cast(g, work))
        re, im = (function(self.cast(x, work)) for x in self.split(g))
        return self.join(re, im, self.complex_of(work, g))

    def norms(self, gs: Sequence[Array], wheres: Sequence[Array | None]) -> Sequence[Scalar]:
        """Return the norm of each gradient."""
        found = [self.norm(g, where) for g, where in zip(gs, wheres, strict=True)]
        values = [self.host(x) for x in found]
        return found if None in values else list(map(float, values))

    def norm(self, g: Array, where: Array | None) -> Array:
        """Return the norm of one gradient as a 0-d array; the largest element is divided out first."""
        xp, wide = self.namespace(g), self.coefficient_dtype(g)
        parts = self.split(g) if self.kind(g.dtype) == "complex" else (g,)
        largest = self.full(0.0, wide, g)
        sizes = []
        for part in parts:
            size = xp.abs(self.cast(part, wide))
            counts = xp.isfinite(size) if where is None else xp.isfinite(size) & where
            sizes.append(xp.where(counts, size, xp.zeros_like(size)))
            if 0 not in size.shape:
                largest = xp.maximum(largest, xp.max(sizes[-1]))
        divisor = xp.where(largest > 0, largest, xp.ones_like(largest))
        squares = [xp.sum((size / divisor) * (size / divisor)) for size in sizes]
        return divisor * xp.sqrt(sum(squares[1:], squares[0]))

    def overwrite(self, old: Array, new: Array) -> Array:
        """Return ``new``, in the storage of ``old`` if this library can write there (``donate=True``)."""
        return new

    # ------------------------------------------------------------------------------- dtypes

    def kind(self, dtype: Any) -> Kind:
        name = dtype_name(dtype)
        return "real" if "float" in name else "complex" if "complex" in name else "other"

    def boolean(self, dtype: Any) -> bool:
        return dtype_name(dtype) in ("bool", "bool_")

    def integer(self, dtype: Any) -> bool:
        return "int" in dtype_name(dtype)

    def finfo(self, dtype: Any) -> Any:
        """Return an object with ``bits``, ``smallest_normal`` and ``eps``."""
        return FLOATS[dtype_name(dtype)]

    def bits(self, dtype: Any) -> int:
        return int(self.finfo(dtype).bits)

    def least(self, dtype: Any) -> float:
        info = self.finfo(dtype)
        return float(info.smallest_normal) * (1.0 if self.flushes else float(info.eps))

    def dtype_named(self, name: str, like: Array) -> Any:
        dtype = getattr(self.namespace(like), name, None)
        if dtype is None:
            raise LookupError(f"{self.name} has no dtype {name!r}")
        return dtype

    def coefficient_dtype(self, like: Array) -> Any:
        xp = self.namespace(like)
        return getattr(xp, "float64", xp.float32)

    def part_of(self, dtype: Any, like: Array) -> Any:
        return self.dtype_named(PARTS[dtype_name(dtype)], like)

    def complex_of(self, dtype: Any, like: Array) -> Any:
        name = dtype_name(dtype)
        for whole, part in PARTS.items():
            if part == name:
                return self.dtype_named(whole, like)
        raise LookupError(f"{self.name} has no complex dtype of {name} parts")

    def bits_of_floats(self) -> TableWords | None:
        """Return the operations on the bits of float32 arrays; the array API has none."""
        return None

    def rows(self) -> RowFunctions | None:
        """Return what can be done with some rows of an array; the array API can put none back."""
        return None

    # ---------------------------------------------------------------------- complex numbers

    def split(self, x: Array) -> tuple[Array, Array]:
        """Return the real and the imaginary part."""
        xp = self.namespace(x)
        return xp.real(x), xp.imag(x)

    def join(self, re: Array, im: Array, dtype: Any) -> Array:
        """Return a complex array of two parts; NaN or infinity in one part does not change the other.

        ``re + 1j*im`` does not do that: the product multiplies an infinite ``im`` by the 0 in ``1j``, which
        makes the real part NaN.  A *sum* keeps the parts separate, so values that are not finite are added as
        constants.
        """
        xp = self.namespace(re)
        re, im = (self.cast(x, self.part_of(dtype, re)) for x in (re, im))

        def constant(value: complex) -> Array:
            return xp.asarray(value, dtype=dtype, device=self.device(re))

        finite = xp.isfinite(im)
        i_im = xp.astype(xp.where(finite, im, xp.zeros_like(im)), dtype) * constant(1j)
        special = xp.where(
            xp.isnan(im), constant(complex(0, float("nan"))), constant(complex(0, float("inf")))
        )
        special = xp.where(im < 0, constant(complex(0, -float("inf"))), special)
        return xp.astype(re, dtype) + xp.where(finite, i_im, special)


def dtype_name(dtype: Any) -> str:
    """Return the name of a dtype of any library, such as ``"float32"``.

    >>> import numpy as np
    >>> dtype_name(np.dtype("float32")), dtype_name(np.float32)
    ('float32', 'float32')
    """
    name = getattr(dtype, "name", None) or getattr(dtype, "__name__", None) or str(dtype)
    return str(name).rsplit(".", 1)[-1]

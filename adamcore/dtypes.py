"""The dtypes of a leaf's moments and of its arithmetic (rules MOM.4, NUM.1, EPS.6)."""

from __future__ import annotations

from adamcore.coefficients import Given
from adamcore.config import AdamConfig
from adamcore.errors import HyperparameterError
from adamcore.protocol import Backend, LeafDtypes
from adamcore.types import Array, DType


class DtypeTable:
    """The dtypes that go with each dtype of parameters in a tree, each worked out once."""

    def __init__(self, adam: AdamConfig, backend: Backend) -> None:
        self.adam, self.backend = adam, backend
        self.known: dict[DType, LeafDtypes] = {}

    def of(self, p: Array) -> LeafDtypes:
        """Return the dtypes that go with the parameter ``p``.

        Raises:
            HyperparameterError: the library has no dtype ``moment_dtype``, or eps vanishes (EPS.6).
        """
        found = self.known.get(p.dtype)
        if found is None:
            found = self.known[p.dtype] = leaf_dtypes(self.adam, self.backend, p)
        return found


def leaf_dtypes(adam: AdamConfig, backend: Backend, p: Array) -> LeafDtypes:
    """Return the dtypes that go with the parameter ``p``; raise as :meth:`DtypeTable.of`."""
    is_complex = backend.kind(p.dtype) == "complex"
    part = backend.part_of(p.dtype, p) if is_complex else p.dtype
    moment = part if adam.moment_dtype is None else moment_part(adam.moment_dtype, backend, p)
    m = moment
    if is_complex:
        try:
            m = backend.complex_of(moment, p)
        except LookupError as error:
            raise HyperparameterError(
                f"moment_dtype={adam.moment_dtype!r} with parameters of {p.dtype}: {error}; choose float32 "
                "or float64"
            ) from error
    work = backend.dtype_named("float32", p)
    for dtype in (part, moment):
        if backend.bits(dtype) > backend.bits(work):
            work = dtype
    check_epsilon(adam, backend, work)
    return LeafDtypes(work, m, moment if adam.complex == "modulus" else m, is_complex)


def moment_part(name: str, backend: Backend, p: Array) -> DType:
    """Return the real floating dtype that ``moment_dtype`` names."""
    reason = "not a real floating dtype"
    try:
        dtype = backend.dtype_named(name, p)
        if backend.kind(dtype) == "real":
            return dtype
    except LookupError as error:
        reason = str(error)
    raise HyperparameterError(
        f"moment_dtype={name!r}: {reason}; expected a name such as 'float32' (complex parameters get "
        "moments with parts of that dtype)"
    )


def check_epsilon(adam: AdamConfig, backend: Backend, work: DType) -> None:
    """Raise if an epsilon that is not 0 would be 0 in the arithmetic's dtype ``work`` (EPS.6)."""
    least = backend.least(work)
    for name in ("eps", "eps_root"):
        value = getattr(adam, name)
        if isinstance(value, Given):  # only the program knows it
            continue
        if value and (value < least if backend.flushes else value <= least / 2):
            raise HyperparameterError(
                f"{name}={value!r} is 0 in the arithmetic's {work}: the smallest usable there is "
                f"{least:.3g}; choose more (far below the root of the second moment it has no effect), "
                "0 to do without, or moment_dtype='float64' for a wider arithmetic"
            )

"""The dtypes of a leaf's moments, its arithmetic, its rest and its scales (MOM.4, NUM.1, EPS.6, STORE)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from typing import Any, NamedTuple

from adamcore.coefficients import Given
from adamcore.config import AdamConfig
from adamcore.errors import BackendError, HyperparameterError
from adamcore.jobs import LeafDtypes
from adamcore.protocol import Backend
from adamcore.storage.blockwise import SMALL
from adamcore.storage.moments import IN_8_BITS, Coding
from adamcore.storage.policies import NARROW, RESTS, Storage
from adamcore.types import Array, DType

SCALES = {"m_scale": "m", "v_scale": "v", "v_max_scale": "v_max"}  #: the scales of each moment
PARTS = ("p_rest", *SCALES)


class Wanted(NamedTuple):
    """What a part is to be."""

    shape: Any  #: a tuple, or what the library has for one
    dtype: DType


class DtypeTable:
    """The dtypes that go with each dtype of parameters in a tree, each worked out once."""

    def __init__(self, adam: AdamConfig, backend: Backend) -> None:
        self.adam, self.backend = adam, backend
        self.known: dict[Any, LeafDtypes] = {}
        self.by_size = "blockwise8" in (adam.m_storage, adam.v_storage)

    def of(self, p: Array) -> LeafDtypes:
        """Return the dtypes that go with the parameter ``p``.

        Raises:
            HyperparameterError: the library has no dtype of the moments' name, eps vanishes (EPS.6), or
                p_storage can't keep the parameter.
            BackendError: p_storage, m_storage or v_storage needs the bits of numbers, which the library does
                not show.
        """
        key = (p.dtype, prod(p.shape) >= SMALL) if self.by_size else p.dtype
        found = self.known.get(key)
        if found is None:
            found = self.known[key] = leaf_dtypes(self.adam, self.backend, p)
        return found


def leaf_dtypes(adam: AdamConfig, backend: Backend, p: Array) -> LeafDtypes:
    """Return the dtypes that go with the parameter ``p``; raise as :meth:`DtypeTable.of`."""
    is_complex = backend.kind(p.dtype) == "complex"
    if is_complex and adam.p_storage != "plain" and backend.bits(backend.part_of(p.dtype, p)) < 32:
        raise HyperparameterError(
            f"p_storage={adam.p_storage!r} with a parameter of {p.dtype}: expected a real one; use 'plain'"
        )
    part = backend.part_of(p.dtype, p) if is_complex else p.dtype
    if not adam.m_storage == adam.v_storage == "plain":
        codings = [coding_of(adam, name, backend, p, is_complex) for name in ("m_storage", "v_storage")]
        if any(codings):
            return coded(adam, backend, p, codings)
    m_part, v_part = (moment_part(adam, field, part, backend, p) for field in ("m_dtype", "v_dtype"))
    work = arithmetic(adam, backend, p, (part, m_part, v_part))
    if not is_complex:
        storage, rest = kept(adam, backend, p)
        m, v = at_random(adam, backend, p, (m_part, v_part))
        return LeafDtypes(work, m_part, v_part, is_complex, storage, rest, m_random=m, v_random=v)
    m = complex_moment(adam, "m_dtype", m_part, backend, p)
    v = v_part if adam.complex == "modulus" else complex_moment(adam, "v_dtype", v_part, backend, p)
    return LeafDtypes(work, m, v, is_complex)


def coded(adam: AdamConfig, backend: Backend, p: Array, codings: Sequence[Coding | None]) -> LeafDtypes:
    """Return the dtypes that go with a real parameter of which a moment is kept in 8 bits (STORE.9)."""
    plain = [
        moment_part(adam, field, p.dtype, backend, p) if coding is None else None
        for field, coding in zip(("m_dtype", "v_dtype"), codings, strict=True)
    ]
    work = arithmetic(adam, backend, p, (p.dtype, *(dtype for dtype in plain if dtype is not None)))
    m, v = (
        dtype if coding is None else backend.dtype_named(coding.dtype, p)
        for dtype, coding in zip(plain, codings, strict=True)
    )
    scales = [None if each is None else backend.dtype_named(each.scale_dtype, p) for each in codings]
    storage, rest = kept(adam, backend, p)
    (m_coding, v_coding), (m_scale, v_scale), random = codings, scales, at_random(adam, backend, p, plain)
    return LeafDtypes(work, m, v, False, storage, rest, m_coding, v_coding, m_scale, v_scale, *random)


def arithmetic(adam: AdamConfig, backend: Backend, p: Array, dtypes: Iterable[DType]) -> DType:
    """Return the dtype of the arithmetic: the widest of float32 and of these real ones (NUM.1)."""
    work = backend.dtype_named("float32", p)
    for dtype in dict.fromkeys(dtypes):
        if backend.bits(dtype) > backend.bits(work):
            work = dtype
    check_epsilon(adam, backend, work)
    return work


def coding_of(adam: AdamConfig, field: str, backend: Backend, p: Array, is_complex: bool) -> Coding | None:
    """Return how a moment is kept in 8 bits; None if it is kept plainly."""
    policy = getattr(adam, field)
    if policy not in IN_8_BITS:
        return None
    if is_complex:
        raise HyperparameterError(
            f"{field}={policy!r} with a parameter of {p.dtype}: expected a real one; use 'plain'"
        )
    check_bits(backend, f"{field}={policy!r}")
    coding = Coding(policy, field == "m_storage")
    return coding if coding.serves(p.shape) else None


def at_random(adam: AdamConfig, backend: Backend, p: Array, dtypes: Iterable[DType]) -> list[str | None]:
    """Return for m and v the name of the dtype that it is rounded to at random (STORE.16), or None.

    ``dtypes`` are those of m and v; None for one that is kept in 8 bits.
    """
    found: list[str | None] = []
    for field, dtype in zip(("m_storage", "v_storage"), dtypes, strict=True):
        if dtype is None or getattr(adam, field) != "stochastic" or backend.bits(dtype) >= 32:
            found.append(None)
            continue
        name = narrow_name(backend, dtype, p)
        if name is None:
            raise HyperparameterError(
                f"{field}='stochastic' with a moment of {dtype}: expected bfloat16, float16 or a wider "
                f"dtype; choose {field}='plain', or another dtype by moment_dtype"
            )
        check_bits(backend, f"{field}='stochastic'")
        found.append(name)
    return found


def named_by(adam: AdamConfig, field: str) -> tuple[str, str | None]:
    """Return the field that names the dtype of a moment, itself or ``moment_dtype``, and the name.

    >>> named_by(AdamConfig(moment_dtype="float32", m_dtype="bfloat16"), "v_dtype")
    ('moment_dtype', 'float32')
    """
    name = getattr(adam, field)
    return ("moment_dtype", adam.moment_dtype) if name is None else (field, name)


def moment_part(adam: AdamConfig, field: str, part: DType, backend: Backend, p: Array) -> DType:
    """Return the real floating dtype of a moment, or of its parts; ``part`` is the parameter's own."""
    field, name = named_by(adam, field)
    if name is None:
        return part
    reason = "not a real floating dtype"
    try:
        dtype = backend.dtype_named(name, p)
        if backend.kind(dtype) == "real":
            return dtype
    except LookupError as error:
        reason = str(error)
    raise HyperparameterError(
        f"{field}={name!r}: {reason}; expected a name such as 'float32' (complex parameters get "
        "moments with parts of that dtype)"
    )


def complex_moment(adam: AdamConfig, field: str, part: DType, backend: Backend, p: Array) -> DType:
    """Return the complex dtype of a moment with parts of this dtype."""
    try:
        return backend.complex_of(part, p)
    except LookupError as error:
        field, name = named_by(adam, field)
        raise HyperparameterError(
            f"{field}={name!r} with parameters of {p.dtype}: {error}; choose float32 or float64"
        ) from error


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


def kept(adam: AdamConfig, backend: Backend, p: Array) -> tuple[Storage | None, DType]:
    """Return how a real parameter is kept (None: plainly), and the dtype of its rest (None: it has none)."""
    policy = adam.p_storage
    if policy == "plain" or backend.bits(p.dtype) >= 32:
        return None, None
    dtype = narrow_name(backend, p.dtype, p)
    if dtype is None or (policy == "split8" and dtype != "bfloat16"):
        expected = "bfloat16" if policy == "split8" else "bfloat16, float16 or a wider dtype"
        raise HyperparameterError(
            f"p_storage={policy!r} with a parameter of {p.dtype}: expected {expected}; convert it, or choose "
            f"{'split' if dtype else 'plain'!r}"
        )
    check_bits(backend, f"p_storage={policy!r}")
    if policy not in RESTS:
        return Storage(policy, dtype), None
    return Storage(policy, dtype), backend.dtype_named(RESTS[policy] or dtype, p)


def check_bits(backend: Backend, setting: str) -> None:
    """Raise unless the library shows the bits of its numbers; ``setting`` is what needs them."""
    if backend.bits_of_floats() is None:
        raise BackendError(
            f"{setting} with arrays of {backend.name}: expected a library in which the bits of "
            "numbers can be read, as NumPy, PyTorch and JAX; choose 'plain'"
        )


def narrow_name(backend: Backend, dtype: DType, p: Array) -> str | None:
    """Return "bfloat16" or "float16" if a dtype of the parameter's library is that; else None."""
    for name in NARROW:
        try:
            if backend.dtype_named(name, p) == dtype:
                return name
        except LookupError:
            continue
    return None


def parts_of(adam: AdamConfig) -> dict[str, tuple[str, bool]]:
    """Return for each part the field of Adam that decides whether a state has it, and whether it has."""
    has_scale = adam.v_storage in IN_8_BITS
    return {  # no cache, for whose entries a compiled step would be compiled anew
        "p_rest": ("p_storage", adam.p_storage in RESTS),
        "m_scale": ("m_storage", adam.m_storage in IN_8_BITS),
        "v_scale": ("v_storage", has_scale),
        "v_max_scale": ("v_storage", has_scale and adam.amsgrad != "none"),
    }


def wanted(name: str, p: Array, formats: LeafDtypes | None) -> Wanted | None:
    """Return what a part of a leaf has to be; None if the leaf has none."""
    if formats is None:
        return None
    if name == "p_rest":
        return None if formats.rest is None else Wanted(tuple(p.shape), formats.rest)
    coding, dtype = formats.coding(SCALES[name]), formats.m_scale if name == "m_scale" else formats.v_scale
    return None if coding is None else Wanted((coding.blocks(p.shape),), dtype)


def first_part(b: Backend, name: str, p: Array, formats: LeafDtypes | None) -> Array | None:
    """Return a part of a leaf before the first step; None if the leaf has none."""
    part = wanted(name, p, formats)
    if part is None or formats is None:
        return None
    if name == "p_rest":
        assert formats.storage is not None
        return b.cast(p, part.dtype) if formats.storage.policy == "master" else b.zeros(p, part.dtype)
    n, coding = b.bits_of_floats(), formats.coding(SCALES[name])
    assert n is not None  # as adamcore.dtypes has found
    assert coding is not None
    return n.zero_scales(p, coding.block, part.dtype)

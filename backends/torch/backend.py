"""PyTorch, eager and under torch.compile; trees by torch.utils._pytree."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch.utils import _pytree as pytree

try:
    import numpy as np
except ModuleNotFoundError:
    np: Any = None  # type: ignore[no-redef]

from adamcore.backends.arrays import dtype_name
from adamcore.backends.base import BaseBackend, FastPath
from adamcore.backends.kernels import norms as kernel_norms
from adamcore.backends.overlap import first_overlap
from adamcore.backends.torch import compiler, cuda_clock, fast, norms, nvrtc, root, shards
from adamcore.backends.torch.cuda_clock import PART
from adamcore.backends.torch.rows import ROWS
from adamcore.backends.torch.uniform import uniform, vectors, wrapped
from adamcore.backends.torch.words import WORDS
from adamcore.coefficients import Traced, split_log
from adamcore.config import AdamConfig
from adamcore.definition import Coefficients, Numbers
from adamcore.jobs import Columns, Job, Result, UniformJobs
from adamcore.protocol import Kind, RowFunctions
from adamcore.storage.bits import TableWords
from adamcore.types import Array, Clock, Scalar

# The logarithms of b1 and b2 are constants of a compiled step; Dynamo can't look into decimal.  This is all
# that torch.compiler.assume_constant_result does, once it has imported Dynamo, which takes longer than torch.
split_log._dynamo_marked_constant = True  # type: ignore[attr-defined]

PARTS = {torch.complex32: torch.float16, torch.complex64: torch.float32, torch.complex128: torch.float64}
INTEGERS = {torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8}
WHOLE = {part: whole for whole, part in PARTS.items()}


class Functions:
    """The array-API functions that the definition and its coefficients call.

    array-api-compat's wrappers would do, but ``asarray`` of a number copies it from the host to the
    device, which waits for the device; ``full`` writes it there.
    """

    sqrt = staticmethod(root.sqrt)
    exp, expm1, log, where = torch.exp, torch.expm1, torch.log, torch.where
    sign = torch.sign
    finfo = torch.finfo

    @staticmethod
    def maximum(a: torch.Tensor, b: torch.Tensor | float) -> torch.Tensor:
        return torch.maximum(a, b) if isinstance(b, torch.Tensor) else torch.clamp(a, min=b)

    @staticmethod
    def astype(x: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        return x.to(dtype)

    @staticmethod
    def asarray(value: Any, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
        if isinstance(value, torch.Tensor):
            return value.to(device=device, dtype=dtype)
        return scalar(value, dtype, device)


def scalar(value: Any, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Return a number as a 0-d tensor.

    Under torch.compile a float may be an input of the program.  Compilers that trace it through autograd
    (AOT), inductor's among them, keep an input of a product, and make a constant of the argument of ``full``,
    so that each value needs a program of its own.
    """
    if torch.compiler.is_compiling() and isinstance(value, float) and dtype.is_floating_point:
        return torch.ones((), dtype=dtype, device=device) * value
    return torch.full((), value, dtype=dtype, device=device)


class CoefficientFunctions(Functions):
    """The same for coefficients, whose one root is that of a bias correction."""

    sqrt = staticmethod(root.sqrt_of_correction)


def bounds(x: Any) -> tuple[int, int] | None:
    """Return the addresses of a tensor's first byte and of the one after its last; None without a storage."""
    if type(x) not in PLAIN or wrapped(x) or not x.numel():
        return None
    reach = sum((size - 1) * stride for size, stride in zip(x.shape, x.stride(), strict=True))
    return x.data_ptr(), x.data_ptr() + (reach + 1) * x.element_size()


def shares_memory(a: Any, b: Any) -> bool:
    """True if two plain tensors, the memory between whose ends overlaps, have an element in common."""
    if not a.is_cpu or a.is_contiguous() or b.is_contiguous():
        return True
    if np is None:
        return True
    return bool(np.shares_memory(a.detach().resolve_neg().numpy(), b.detach().resolve_neg().numpy()))


class TorchBackend(BaseBackend):
    """PyTorch; values on a device other than the CPU are never waited for."""

    name = "torch"
    sorts_keys: bool | None = False
    fast: FastPath | None = fast

    def owns(self, leaf: object) -> bool:
        return isinstance(leaf, torch.Tensor)

    def refuse(self, leaf: Array) -> str | None:
        if leaf.layout is not torch.strided:
            return f"a tensor of layout {leaf.layout}; only strided ones can be updated: use to_dense()"
        if leaf.is_meta:
            return "a tensor on the meta device, which has no values; give it storage with to_empty()"
        return None

    def namespace(self, like: Array) -> Any:
        return Functions

    def identity(self, leaf: Array) -> int | None:
        # a compiled step that has looked at an id is compiled again for the next tensor
        return None if torch.compiler.is_compiling() else id(leaf)

    def identities(self, leaves: Sequence[Array]) -> set[int | None]:
        return {None} if torch.compiler.is_compiling() else {*map(id, leaves)}

    def overlap(self, columns: Columns) -> tuple[int, int] | None:
        if torch.compiler.is_compiling():  # tensors have no addresses yet
            return None
        return first_overlap(columns, bounds, shares_memory)

    def uniform(self, columns: Columns) -> bool:
        return not torch.compiler.is_compiling() and uniform([xs for xs in columns if xs])

    def device(self, leaf: Array) -> Any:
        return leaf.device

    def host(self, x: Array) -> Any:
        if torch.compiler.is_compiling() or not nvrtc.on_host(x) or type(x) not in PLAIN:
            return None  # a value known only to the program: compiled, elsewhere, or of a transform
        if wrapped(x):
            return None
        return x.item()

    def integers(self, xs: Sequence[Array]) -> list[int] | None:
        dtype = getattr(xs[0], "dtype", None)
        if dtype not in INTEGERS or torch.compiler.is_compiling() or not vectors(xs, dtype):
            return super().integers(xs)
        return None if any(x.ndim for x in xs) else [x.item() for x in xs]

    def full(self, value: float, dtype: Any, like: Array) -> Array:
        return scalar(value, dtype, like.device)

    def full_each(self, values: Sequence[float], dtype: Any, like: Array) -> list[Array]:
        parts = torch.tensor(values, dtype=dtype, device=like.device).split(PART)
        return [x for part in parts for x in part.clone().unbind()]

    def zeros(self, like: Array, dtype: Any) -> Array:
        return torch.zeros_like(like, dtype=dtype, requires_grad=False)

    def where(self, condition: Array, new: Array, old: Array) -> Array:
        return torch.where(condition, new, old)

    def cast(self, x: Array, dtype: Any) -> Array:
        return x.to(dtype)

    def norms(self, gs: Sequence[Array], wheres: Sequence[Array | None]) -> Sequence[Scalar]:
        """Return the norm of each gradient, of a sharded one over all its parts, as tensors on one device."""
        if not torch.compiler.is_compiling() and all(where is None for where in wheres):
            quick = [n for n in kernel_norms.norms(fast.MEMORY, gs) if n is not None]
            if len(quick) == len(gs):
                return quick
        found = [norms.norm(g, where, self.coefficient_dtype(g)) for g, where in zip(gs, wheres, strict=True)]
        values = [self.host(x) for x in found]
        return [x.to(found[0].device) for x in found] if None in values else values

    def overwrite(self, old: Array, new: Array) -> Array:
        return old.copy_(new)

    def kind(self, dtype: Any) -> Kind:
        return "real" if dtype.is_floating_point else "complex" if dtype.is_complex else "other"

    def boolean(self, dtype: Any) -> bool:
        return bool(dtype == torch.bool)

    def finfo(self, dtype: Any) -> Any:
        return torch.finfo(dtype)

    def dtype_named(self, name: str, like: Array) -> Any:
        dtype = getattr(torch, name, None)
        if not isinstance(dtype, torch.dtype):
            raise LookupError(f"PyTorch has no dtype {name!r}")
        return dtype

    def coefficient_dtype(self, like: Array) -> Any:
        return torch.float32 if like.device.type == "mps" else torch.float64

    def part_of(self, dtype: Any, like: Array) -> Any:
        return PARTS[dtype]

    def complex_of(self, dtype: Any, like: Array) -> Any:
        if dtype not in WHOLE:
            raise LookupError(f"PyTorch has no complex dtype of {dtype_name(dtype)} parts")
        return WHOLE[dtype]

    def bits_of_floats(self) -> TableWords | None:
        return WORDS

    def rows(self) -> RowFunctions | None:
        return ROWS

    def split(self, x: Array) -> tuple[Array, Array]:
        parts = torch.view_as_real(x.resolve_conj())
        return parts[..., 0], parts[..., 1]

    def join(self, re: Array, im: Array, dtype: Any) -> Array:
        part = PARTS[dtype]
        return torch.complex(re.to(part), im.to(part))

    def flatten(self, tree: Any) -> tuple[list[Any], Any]:
        return pytree.tree_flatten(tree)

    def unflatten(self, structure: Any, leaves: Sequence[Any]) -> Any:
        return pytree.tree_unflatten(leaves, structure)

    def paths(self, tree: Any) -> list[str]:
        return [pytree.keystr(path) for path, _ in pytree.tree_flatten_with_path(tree)[0]]

    def numbers(self, like: Array) -> Numbers:
        return Traced(CoefficientFunctions, self.coefficient_dtype(like), like.device)

    def tick_on_device(
        self, adam: AdamConfig, t: Clock, mu_product: Any, lr: Any, like: Array
    ) -> tuple[Clock, Any, Coefficients] | None:
        ticked = self.tick_each_on_device(adam, [t], [mu_product], lr, like)
        return None if ticked is None else ticked[0]

    def tick_each_on_device(
        self, adam: AdamConfig, ts: Sequence[Clock], mu_products: Sequence[Any], lr: Any, like: Array
    ) -> list[tuple[Clock, Any, Coefficients]] | None:
        if torch.compiler.is_compiling() or compiler.is_on():
            return None
        return cuda_clock.tick_copies(adam, ts, mu_products, lr, like.device)

    def apply(self, adam: AdamConfig, jobs: Sequence[Job], donate: bool) -> Sequence[Result]:
        """Carry out the jobs as every backend, those of sharded tensors on the parts that are here."""
        if shards.sharded_type() is None or torch.compiler.is_compiling() or self.fast is None:
            return super().apply(adam, jobs, donate)
        if isinstance(jobs, UniformJobs) or not shards.any_sharded(job.p for job in jobs):
            return super().apply(adam, jobs, donate)
        results = super().apply(adam, [shards.local_job(job) for job in jobs], donate)
        return list(map(shards.whole_result, jobs, results))

    def store(self, job: Job, new: Result, donate: bool) -> Result:
        """Store as every backend; a new parameter asks for a gradient if the old one did."""
        result = super().store(job, new, donate)
        if job.p.requires_grad and not result.p.requires_grad:
            result.p.requires_grad_()
        return result

    def scope(self) -> AbstractContextManager[Any]:
        return torch.no_grad()


PLAIN = (torch.Tensor, torch.nn.Parameter)  # not a fake tensor, not one of a subclass

backend = TorchBackend()

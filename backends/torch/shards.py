"""Sharded tensors (``DTensor``): a step works on the part of each tensor that this process has.

Adam computes each element from that element alone.  So a step of the parts is a step of the whole tensors,
with the same bits, and it sends nothing.  Only a gradient that lies otherwise than its parameter is sent:
:class:`Placements` does it before everything else, in the same order on every process.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import product
from operator import is_
from typing import Any

import torch

from adamcore.errors import BackendError
from adamcore.jobs import Columns, Job, Result
from adamcore.storage.bits import MASK
from adamcore.types import Array

increment_version = getattr(torch._C, "_increment_version", torch.autograd.graph.increment_version)


def sharded_type() -> Any:
    """Return the class of sharded tensors; None if nothing has loaded it, so that there are none.

    It is not kept: a compiled step would be compiled anew once it is known.
    """
    return getattr(sys.modules.get("torch.distributed.tensor"), "DTensor", None)


def any_sharded(xs: Iterable[Any]) -> bool:
    """True if one of these is a sharded tensor."""
    cls = sharded_type()
    return cls is not None and cls in {*map(type, xs)}


def is_sharded(x: Any) -> bool:
    """True if this is a sharded tensor."""
    return type(x) is sharded_type()


def local(x: Any) -> Any:
    """Return the part of a sharded tensor that is here, as it is; any other value as it is.

    A part that is still on its way here is waited for.
    """
    if not is_sharded(x):
        return x
    part = x._local_tensor
    if hasattr(part, "trigger_wait"):
        part = part.trigger_wait()
    if x.device_mesh.get_coordinate() is None:  # this process has no place in the mesh
        return part.new_empty(0, dtype=x.dtype)
    return part


def locals_of(xs: Sequence[Any]) -> list[Any]:
    """Return the :func:`local` part of each, in the hot path: one still on its way is not waited for."""
    cls = sharded_type()
    return [x._local_tensor if type(x) is cls else x for x in xs]


def local_columns(columns: Columns | tuple[Sequence[Any], ...]) -> tuple[list[Any], ...]:
    """Return :func:`locals_of` each column."""
    return tuple(map(locals_of, columns))


def mark_written(xs: Sequence[Any]) -> None:
    """Tell PyTorch that the sharded ones of these tensors have been written to, in their parts."""
    cls = sharded_type()
    increment_version([x for x in xs if type(x) is cls])


# Placement ------------------------------------------------------------------------------------------------


class Placements:
    """Gives each gradient of a sharded parameter the placement of the parameter, in ``p.grad``.

    Tensor parallelism leaves gradients that are still to be added up (``Partial``), for one.
    """

    def __init__(self) -> None:
        self.seen: dict[int, list[Any]] = {}  #: by group: how gradients lay that lay as their parameters

    def place_gradients(self, i: int, params: Sequence[Any]) -> None:
        """Do it for group ``i``.

        Raises:
            BackendError: a parameter is itself to be added up, or a gradient is on another mesh, or whole.
        """
        cls = sharded_type()
        if cls not in {*map(type, params)}:
            return
        mine = [p for p in params if type(p) is cls]
        lying = [x for p in mine for x in (p._spec, getattr(p.grad, "_spec", p.grad))]
        seen = self.seen.get(i, ())
        if len(lying) == len(seen) and all(map(is_, lying, seen)):
            return
        for k, p in enumerate(params):
            if type(p) is cls and p.grad is not None:
                name = f"param_groups[{i}]['params'][{k}]"
                check_parameter(p, name)
                new = placed_as(p, p.grad, f"{name}.grad")
                if new is not p.grad:
                    p.grad, lying = new, []
        self.seen[i] = lying


def placed_as(p: Any, x: Any, name: str) -> Any:
    """Return a tensor with the placement of the sharded tensor ``p``: itself, if it lies so.

    Raises:
        BackendError: it is on another mesh, or is not sharded.
    """
    if not is_sharded(x):
        raise BackendError(
            f"{name} is a {type(x).__name__} of shape {tuple(x.shape)}, its parameter a DTensor of shape "
            f"{tuple(p.shape)} with placements {p.placements}: expected a DTensor; make one with "
            "DTensor.from_local (of the part here) or distribute_tensor (of the whole)"
        )
    if x.device_mesh != p.device_mesh:
        raise BackendError(
            f"{name} is on {x.device_mesh}, its parameter on {p.device_mesh}: expected one mesh; "
            "redistribute it before the step"
        )
    if x.placements == p.placements:
        return x
    with torch.no_grad():
        return x.redistribute(p.device_mesh, p.placements)


def check_parameter(p: Any, name: str) -> None:
    """Raise BackendError if a sharded parameter is the sum of its parts: a step of these is none of it."""
    if any(placement.is_partial() for placement in p.placements):
        raise BackendError(
            f"{name} has placements {p.placements}: expected Shard or Replicate, as a parameter that is "
            "still to be added up cannot be stepped in parts; redistribute it to Replicate() first"
        )


def distributed_like(p: Any, x: torch.Tensor) -> torch.Tensor:
    """Return a whole tensor, the same on every process, as a sharded one that lies as ``p``."""
    if not is_sharded(p) or is_sharded(x):
        return x
    from torch.distributed.tensor import distribute_tensor

    here = x.detach().to(p.device)
    return distribute_tensor(here, p.device_mesh, p.placements, src_data_rank=None)


# Blocks ---------------------------------------------------------------------------------------------------


def check_blocks(p: Any, size: int) -> None:
    """Raise BackendError unless every part of a sharded parameter is made of whole blocks.

    A block is ``size`` elements in the order of the indices of the whole parameter, and has one scale.  The
    scales lie as the parameter: the part of them on each process is that of its blocks.
    """
    by_rows = all(placement.is_replicate() or placement == row_shard() for placement in p.placements)
    if by_rows and are_whole(tuple(p.shape), tuple(p.placements), tuple(p.device_mesh.shape), size):
        return
    raise BackendError(
        f"a parameter is a DTensor of shape {tuple(p.shape)} with placements {p.placements} on a mesh of "
        f"{tuple(p.device_mesh.shape)}, and its moments are kept in blocks of {size} elements, which these "
        "parts cut, or have in unequal numbers: expected as many rows on each process, with a multiple of "
        f"{size} elements in all, or m_storage='plain' and v_storage='plain' for its group"
    )


def row_shard() -> Any:
    """Return the placement in which rows are cut."""
    from torch.distributed.tensor import Shard

    return Shard(0)


@lru_cache(maxsize=1024)
def are_whole(shape: tuple[int, ...], placements: tuple[Any, ...], mesh: tuple[int, ...], size: int) -> bool:
    """Return whether parts of whole rows are parts of whole blocks, and these lie as the rows."""
    row, count = math.prod(shape[1:]), -(-math.prod(shape) // size)
    for place in product(*map(range, mesh)):
        start, stop = (n * row for n in rows_of(shape[0] if shape else 1, placements, mesh, place))
        first, last = rows_of(count, placements, mesh, place)
        if (start < stop) != (first < last):
            return False
        if start < stop and (start != first * size or stop != min(last * size, math.prod(shape))):
            return False
    return True


def rows_of(
    count: int, placements: Iterable[Any], mesh: Iterable[int], place: Iterable[int]
) -> tuple[int, int]:
    """Return which of so many rows are at a place of the mesh: from where to where."""
    start, stop = 0, count
    for placement, size, at in zip(placements, mesh, place, strict=True):
        if placement.is_shard():
            each = -(-(stop - start) // size)
            start, stop = min(start + at * each, stop), min(start + (at + 1) * each, stop)
    return start, stop


def shard_beside(p: Any, part: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Return the tensor that lies as ``p``, of which ``part`` is here: itself, if ``p`` is not sharded."""
    if not is_sharded(p):
        return part
    strides = [math.prod(shape[k + 1 :]) for k in range(len(shape))]
    made: torch.Tensor = sharded_type().from_local(
        part, p.device_mesh, p.placements, run_check=False, shape=torch.Size(shape), stride=tuple(strides)
    )
    return made


def count_here(p: Any, count: int) -> int:
    """Return how many rows of ``count`` are here, if they lie as the rows of ``p``."""
    if not is_sharded(p):
        return count
    place = p.device_mesh.get_coordinate()
    if place is None:
        return 0
    start, stop = rows_of(count, p.placements, p.device_mesh.shape, place)
    return stop - start


# Jobs -----------------------------------------------------------------------------------------------------


def local_job(job: Job) -> Job:
    """Return the job of the parts that are here.

    Raises:
        BackendError: the gradient or the mask cannot be brought to the parameter's placement, or moments
            are kept in blocks that shards cut.
    """
    p = job.p
    if not is_sharded(p):
        return job
    check_parameter(p, "a parameter")
    for coding in (job.formats.m_coding, job.formats.v_coding):
        if coding is not None:
            check_blocks(p, coding.block)
    g = placed_as(p, job.g, "a gradient")
    where = job.where
    if where is not None and where.ndim:
        where = placed_as(p, distributed_like(p, where.broadcast_to(p.shape)), "a mask")
    key = job.key
    if key is not None and key.elements is None:
        key = key._replace(elements=element_numbers(p))
    kept = {name: local(getattr(job, name)) for name in Result._fields if name != "p"}
    return job._replace(p=local(p), g=local(g), where=local(where), key=key, **kept)


def whole_result(job: Job, parts: Result) -> Result:
    """Return the result of a sharded job: what was stepped in place is the job's own."""
    if not is_sharded(job.p):
        return parts
    old = [getattr(job, name) for name in Result._fields]
    mark_written(old)
    return Result(*map(whole, old, parts))


def whole(old: Any, part: Any) -> Any:
    """Return a part as a sharded tensor that lies as ``old``: that one, if it is its part."""
    if old is None or part is old._local_tensor:
        return old
    return sharded_type()(part.detach(), old._spec, requires_grad=old.requires_grad)


def element_numbers(x: Any) -> Array:
    """Return the number that each element here has in the whole tensor, as words of int64."""
    from torch.distributed.tensor import Replicate, distribute_tensor

    numbers = torch.zeros((1,) * x.ndim, dtype=torch.int64, device=x.device)
    for dim, size in enumerate(x.shape):
        along = torch.arange(size, device=x.device) * math.prod(x.shape[dim + 1 :])
        along = along.reshape([size if k == dim else 1 for k in range(x.ndim)])
        mine = [p if getattr(p, "dim", None) == dim else Replicate() for p in x.placements]
        numbers = numbers + local(distribute_tensor(along, x.device_mesh, mine, src_data_rank=None))
    return numbers & MASK

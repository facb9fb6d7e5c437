"""The program in NumPy: block by block, each operation writing into memory that is already there.

A block is so small that the result of one operation is still in the cache when the next one reads it.
Results go straight into their arrays, and intermediate values into scratch: two blocks of it for most Adams,
each used again as soon as its value has been read for the last time.  Small arrays are gathered into one
block.

A ufunc releases the interpreter while it computes, so large arrays are stepped in threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from adamcore.backends.kernels.threads import PARALLEL, run_pieces, short_switch_interval
from adamcore.tracing import Program

SMALL = 1 << 12  #: elements below which arrays are gathered
THREADS = 2  #: at most: they take turns at what is not computing
SCRATCH = 1 << 21  #: bytes of scratch that all of them have at most


def block_bytes() -> int:
    """Return the bytes of a block: two of the three that an operation touches fit into the cache of one core.

    Of smaller blocks there are more, between which the threads wait for the interpreter.
    """
    try:
        size = (
            Path("/sys/devices/system/cpu/cpu0/cache/index2/size").read_text(encoding="utf-8").strip()
        )  # "2048K"
        return min(max(int(size.removesuffix("K")) * 1024 // 2, 1 << 15), 1 << 19)
    except (OSError, ValueError):  # not Linux
        return 1 << 18


BLOCK = block_bytes()


def maximum(a: Any, b: Any, out: Any) -> None:
    """Write the larger of two arrays' elements; NumPy warns of a ``maximum`` whose result has no keyword."""
    np.maximum(a, b, out=out)


#: Each takes its arguments and the array of its result.
UFUNCS: dict[str, Callable[..., Any]] = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide,
    "neg": np.negative, "sqrt": np.sqrt, "maximum": maximum, "sign": np.sign,
}  # fmt: skip


class Schedule(NamedTuple):
    """The program with a place for each value.

    Places are numbered: first the inputs, then the results, the coefficients, and the scratch.
    """

    #: a function of :data:`UFUNCS`, and what takes its arguments and its result from the places
    ops: tuple[tuple[Callable[..., Any], Callable[[list[Any]], tuple[Any, ...]]], ...]
    copies: tuple[tuple[int, int], ...]  #: results that could not be formed in their own place
    scratch: int


@lru_cache(maxsize=256)
def schedule(program: Program, in_place: bool) -> Schedule:
    """Return places for the values of a program; results go into the inputs' own arrays or into new ones."""
    names = [*program.inputs, *(f"{name}'" for name, _ in program.outputs), *program.coefficients]
    place = {name: number for number, name in enumerate(names)}
    last = {name: number for number, op in enumerate(program.ops) for name in op.args}
    result = {value: name for name, value in program.outputs}
    free: list[int] = []
    count = len(names)
    ops, copies = [], []
    for number, op in enumerate(program.ops):
        args = tuple(place[name] for name in op.args)
        for name in dict.fromkeys(op.args):
            if last[name] == number and place[name] >= len(names) and name not in result:
                free.append(place[name])  # an operation may write over what it reads
        own = result.get(op.out)
        target = None
        if own is not None:
            target = place[own] if in_place else place[f"{own}'"]
            if in_place and last.get(own, -1) > number:  # the old value is still needed
                copies.append((target, count))
                target = count
                count += 1
        elif free:
            target = free.pop()
        if target is None:
            target = count
            count += 1
        place[op.out] = target
        ops.append((UFUNCS[op.kind], itemgetter(*args, target)))
    return Schedule(tuple(ops), tuple(copies), count - len(names))


class Blocks:
    """One program in one dtype, ready to run over flat arrays; several threads may use it at once."""

    def __init__(self, program: Program, dtype: Any, in_place: bool) -> None:
        self.program, self.dtype, self.in_place = program, np.dtype(dtype), in_place
        self.schedule = schedule(program, in_place)
        self.size = BLOCK // self.dtype.itemsize
        self.idle: list[list[Any]] = []  # blocks that nobody uses at the moment

    @contextmanager
    def blocks(self, count: int, size: int) -> Iterator[list[Any]]:
        """Lend ``count`` blocks of memory of ``size`` elements."""
        try:
            found = self.idle.pop()
        except IndexError:
            found = []
        found = [x for x in found if x.size >= size]
        found += [np.empty(size, self.dtype) for _ in range(count - len(found))]
        yield found[:count]
        self.idle.append(found)

    def run(
        self, inputs: Sequence[Any], results: Sequence[Any], coefficients: Sequence[Any], threads: int
    ) -> None:
        """Step flat arrays; without ``in_place`` into ``results``, which are not used otherwise."""
        scalars = [np.asarray(c, dtype=self.dtype) for c in coefficients]
        results = results or [None] * len(self.program.outputs)
        total, ops = inputs[0].size, self.schedule.ops
        threads = 1 if total < PARALLEL else min(threads, THREADS)
        each = SCRATCH // (threads * max(1, self.schedule.scratch) * self.dtype.itemsize)
        size = min(self.size, each)

        def work(lo: int, hi: int) -> None:
            with self.blocks(self.schedule.scratch, size) as scratch, np.errstate(all="ignore"):
                for start in range(lo, hi, size):
                    stop = min(start + size, hi)
                    block = slice(start, stop)
                    places = [x[block] for x in inputs]
                    places += [None if x is None else x[block] for x in results]
                    places += scalars
                    places += [x[: stop - start] for x in scratch]
                    for ufunc, arrays in ops:  # little is done between two, where threads wait
                        ufunc(*arrays(places))
                    for target, source in self.schedule.copies:
                        np.copyto(places[target], places[source])

        if threads == 1:
            work(0, total)
        else:
            with short_switch_interval():
                run_pieces(work, total, size, threads)

    def run_small(
        self, inputs: Sequence[Sequence[Any]], results: Sequence[Sequence[Any]], coefficients: Sequence[Any]
    ) -> None:
        """Step many small arrays with the same coefficients; ``inputs`` has a list for each input."""
        kinds = [self.program.inputs.index(name) for name, _ in self.program.outputs]
        targets = [inputs[k] for k in kinds] if self.in_place else results
        gathered = Blocks(self.program, self.dtype, True) if not self.in_place else self
        sizes = [x.size for x in inputs[0]]
        start = 0
        with self.blocks(len(inputs), self.size) as whole_rows:
            while start < len(sizes):
                stop, total = start, 0
                while stop < len(sizes) and total + sizes[stop] <= self.size:
                    total += sizes[stop]
                    stop += 1
                rows = [row[:total] for row in whole_rows]
                for row, arrays in zip(rows, inputs, strict=True):
                    np.concatenate(arrays[start:stop], axis=None, out=row)
                gathered.run(rows, (), coefficients, 1)
                for k, arrays in zip(kinds, targets, strict=True):
                    row, at = rows[k], 0
                    for x in arrays[start:stop]:
                        x[...] = row[at : at + x.size].reshape(x.shape)
                        at += x.size
                start = stop

"""What is lost where a kernel's chunks, launches and tables end: in long arrays, and in many of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from adamcore.conformance.faults import _inputs, layout
from adamcore.conformance.oracle.perturbation import Fault
from adamcore.conformance.types import Probe

CHUNKS = (65536, 1024, 2048, 4096, 8192, 16384, 32768, 64, 128, 256, 512, 131072)  #: elements of a chunk
TABLES = (1024, 36, 48, 64, 100, 110, 128, 256, 320, 500, 512, 1000)  #: arrays of a table or a launch
SLOTS = (36, 24, 30, 48, 64, 110)  #: arrays of a launch whose last may be empty


def longest(probe: Probe) -> int:
    return max((np.size(p) for p in probe.params), default=0)


def lost(
    choice: layout.Choice, matters: Callable[[Probe], bool], steps: _inputs.Steps, probe: Probe
) -> _inputs.Steps:
    """Return steps that move only what ``choice`` marks, in a probe that has anything else."""
    if not matters(probe):
        raise ValueError("the probe is too small for the fault")
    return layout.chosen(choice, steps, probe)


def whole_batches(batch: int, steps: _inputs.Steps, probe: Probe) -> _inputs.Steps:
    """Move the arrays of whole batches alone, where there is one."""
    count = len(probe.params)
    first = partial(layout.first_arrays, count - count % batch)
    return lost(first, lambda probe: count > batch, steps, probe)


def after_an_empty(slot: int, steps: _inputs.Steps, probe: Probe) -> _inputs.Steps:
    """Move nothing after an empty array that is the ``slot``-th."""
    first = partial(layout.first_arrays, slot)
    return lost(first, lambda probe: has_empty(slot, probe), steps, probe)


def has_empty(slot: int, probe: Probe) -> bool:
    return len(probe.params) > slot and np.size(probe.params[slot - 1]) == 0


def after_the_first_empty(steps: _inputs.Steps, probe: Probe) -> _inputs.Steps:
    slot = next((i for i, p in enumerate(probe.params, start=1) if not np.size(p)), len(probe.params))
    return after_an_empty(slot, steps, probe)


def up_to(size: int, probe: Probe) -> bool:
    return longest(probe) > size


def more_arrays_than(count: int, probe: Probe) -> bool:
    return len(probe.params) > count


def faults() -> Iterator[Fault]:
    def fault(name: str, says: str, change: Callable[[_inputs.Steps, Probe], _inputs.Steps]) -> Fault:
        return Fault(name, "layout", "NUM.5", says, **_inputs.on_steps(change))

    for size in CHUNKS:
        yield fault(
            f"rest-of-{size}", f"what is left over whole chunks of {size} elements does not move",
            partial(lost, partial(layout.whole_vectors_if_any, size), partial(up_to, size)),
        )  # fmt: skip
        if size not in (64, 128, 256, 1024):  # those are in .layout
            yield fault(
                f"first-{size}", f"only the first {size} elements move",
                partial(lost, partial(layout.first_elements, size), partial(up_to, size)),
            )  # fmt: skip
    for count in TABLES:
        yield fault(
            f"first-{count}-arrays", f"only the first {count} arrays move",
            partial(lost, partial(layout.first_arrays, count), partial(more_arrays_than, count)),
        )  # fmt: skip
    for count in (*TABLES, 24, 30, 32):
        yield fault(
            f"batches-of-{count}", f"arrays that are left over whole batches of {count} do not move",
            partial(whole_batches, count),
        )  # fmt: skip
    for slot in SLOTS:
        yield fault(
            f"empty-in-{slot}", f"arrays after an empty one in slot {slot} do not move",
            partial(after_an_empty, slot),
        )  # fmt: skip
    yield fault("after-an-empty", "arrays after the first empty one do not move", after_the_first_empty)


CHUNKED = tuple(faults())

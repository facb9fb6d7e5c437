"""Probes of long arrays and of many: where a kernel's chunks, tables and launches end, something may be lost.

Kernels that step many arrays in one launch cut them into chunks, often of 65536 elements, and hold handles
of dozens or hundreds of them.  What lies beyond is easily lost.  Elements and arrays repeat here, so that
the exact answer of each is computed once.  No chunk, table or batch that is known is a multiple of a period.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from adamcore.conformance.probes.design import ODD, numbers
from adamcore.conformance.types import FloatArray, Probe, Step

PERIOD = 37  #: after so many elements the values of a long array repeat
LONG = (2**15 - 59, 2**15 + 1, 2**16 + 7, 2**17 + 29)
"""Numbers of elements; of chunks of 2**6, 2**7 and so on up to 2**17 elements other rests are left over."""
ARRAYS = 23  #: after so many arrays the arrays repeat
BLOCKS = (67, 263)  #: numbers of elements above those of a warp and of a block
MANY = 2**10 + 2**9 + 2**8 + 65  #: arrays; of batches of 64 to 1024 others are left over
SLOTS = 131  #: arrays: more than a launch has handles for, which are 110 in the kernels of PyTorch and Apex
EMPTY = (23, 29, 35, 47, 63, 109, 130)
"""Last slots of launches over 24 to 110 arrays, and the last of all; there the arrays are empty."""


def repeated(seed: int, size: int) -> FloatArray:
    """Return a long array of few distinct numbers."""
    return np.resize(numbers(seed, PERIOD), size)


def arrays(seed: int, count: int, empty: Sequence[int] = ()) -> tuple[FloatArray, ...]:
    """Return short arrays of one to three elements, few of them distinct; those at ``empty`` have none."""
    some = [numbers(seed + k, 1 + k % 3) for k in range(ARRAYS)]
    nothing = numbers(seed, 0)
    return tuple(nothing if i in empty else some[i % ARRAYS] for i in range(count))


def sparse(seed: int, size: int) -> FloatArray:
    """Return a long gradient of few distinct numbers, of which every fifth is 0."""
    return np.where(np.arange(size) % 5 == 2, 0.0, repeated(seed, size))


PROBES = [
    Probe(
        "F2/long",
        "long arrays, every fifth of whose elements has its first gradient in the third step",
        tuple(repeated(180 + i, size) for i, size in enumerate(BLOCKS)),
        tuple(
            Step(tuple((sparse if s < 2 else repeated)(184 + 2 * s + i, n) for i, n in enumerate(BLOCKS)))
            for s in range(3)
        ),
        ODD,
    ),
    Probe(
        "STEP.1/chunks",
        "arrays longer than 2**14 to 2**17 elements: the rest of a chunk, and indices of 16 bits",
        tuple(repeated(110 + i, size) for i, size in enumerate(LONG)),
        tuple(Step(tuple(repeated(114 + 4 * s + i, size) for i, size in enumerate(LONG))) for s in range(2)),
        ODD,
    ),
    Probe(
        "STEP.1/slots",
        "131 arrays, empty ones where launches over 24 to 110 arrays end, and at the end of all",
        arrays(120, SLOTS, EMPTY),
        tuple(Step(arrays(150 + 30 * s, SLOTS, EMPTY)) for s in range(2)),
        ODD,
    ),
    Probe(
        "STEP.1/many",
        "1857 arrays: more than any table or launch holds",
        arrays(220, MANY),
        (Step(arrays(250, MANY)),),
        ODD,
    ),
]

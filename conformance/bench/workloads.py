"""The workloads: lists of shapes, from 100 elements to a GPT-2."""

from __future__ import annotations

from math import prod

from adamcore.backends.kernels.formats import Storage

Shapes = tuple[tuple[int, ...], ...]

NARROW: dict[str, Storage] = {"torch:bfloat16": "bfloat16", "torch:float16": "float16"}
"""The frameworks whose parameters are stored in 16 bits, with the dtype."""

BYTES = 28  #: of each float32 element in a step, which reads p, g, m and v and writes p, m and v


def gpt2(width: int, layers: int, vocabulary: int, context: int) -> Shapes:
    """Return the shapes of a GPT-2's parameters: 4, and 12 for each layer."""
    layer = (
        (width,), (width,), (width, 3 * width), (3 * width,), (width, width), (width,),
        (width,), (width,), (width, 4 * width), (4 * width,), (4 * width, width), (width,),
    )  # fmt: skip
    return ((vocabulary, width), (context, width), *layer * layers, (width,), (width,))


WORKLOADS: dict[str, Shapes] = {
    "100": ((100,),),
    "1M": ((1 << 20,),),
    "16M": ((1 << 24,),),
    "1000x1000": ((1000,),) * 1000,
    "gpt2": gpt2(768, 12, 50257, 1024),
    "gpt2-31M": gpt2(384, 12, 25129, 512),
}

USUAL = ("100", "1M", "16M", "1000x1000", "gpt2")  #: the workloads of a run
SMALL = ("100", "1M", "16M", "1000x1000", "gpt2-31M")  #: the workloads with ``--small``


def elements(shapes: Shapes) -> int:
    return sum(map(prod, shapes))

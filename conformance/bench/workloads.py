"""What is stepped: lists of shapes, from 100 elements to a GPT-2."""

from __future__ import annotations

from math import prod

Shapes = tuple[tuple[int, ...], ...]

BYTES = 28  #: per float32 element and step: p, g, m, v are read, p, m, v are written


def gpt2(width: int, layers: int, vocabulary: int, context: int) -> Shapes:
    """The parameters of a GPT-2 of this size: 4 + 12 a layer."""
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

USUAL = ("100", "1M", "16M", "1000x1000", "gpt2")
SMALL = ("100", "1M", "16M", "1000x1000", "gpt2-31M")


def elements(shapes: Shapes) -> int:
    return sum(map(prod, shapes))

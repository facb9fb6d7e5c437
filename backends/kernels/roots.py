"""Roots rounded to whole numbers without a root, for the codes of second moments.

A processor with AVX-512 takes ten times as long for a root as for an estimate of 1/sqrt(z), and makes one
root or division at a time.  The estimate is off by 2**-14 at most.  So it finds the whole part of a root
below 2**8, or one less or more where the root is next to a whole number.  Then one comparison finds whether
the root is above the middle of two whole numbers.

The rule (STORE.11) rounds twice, to the nearest number of float32 and to the nearest whole number.  Let g
be the middle above the whole part c.  The first result is above g if the root is more than half a last
place of g above it.  It is g if the root is as near to g as that, and then the even one of c and c+1 is the
code.  So z is compared with the square of one end of that interval: ``g * (g + place)`` if c is even, ``g *
(g - place)`` if c is odd.  They differ from the squares by a part of 2**-46, and no number of float32 lies
between.
"""

from __future__ import annotations

from adamcore.backends.kernels.words import Value, in_parts

PART = 16  #: elements that the instructions take
ESTIMATE = "@llvm.x86.avx512.rsqrt14.ps.512"
LOOKUP = "@llvm.x86.avx512.permvar.si.512"  #: looks at the lowest 4 bits of a place
WHOLE = 2.0**23 - 0.5  #: added to a number, leaves its whole part in the low bits of the word
#: the last places by which g is moved, at the place of c's lowest 4 bits
STEPS = f"<{', '.join(['i32 1, i32 -1'] * (PART // 2))}>"


def whole_part(z: Value) -> Value:
    """Return 2**23 plus about the whole parts of the roots of numbers from 1 to 255**2.

    Args:
        z: the numbers.
    """

    def estimate(part: Value) -> Value:
        kind = part.lines.kind("float")
        return part.call("float", ESTIMATE, (kind, part.name), (kind, "zeroinitializer"), ("i16", "-1"))

    return fused(z, in_parts(estimate, z, PART), z.lines.constant(WHOLE, "float"))


def nearest_whole(z: Value, near: Value) -> Value:
    """Return words whose lowest byte is the rounded root.

    Args:
        z: the numbers.
        near: what :func:`whole_part` has made of them.
    """

    def step(part: Value) -> Value:
        kind = part.lines.kind("i32")
        return part.call("i32", LOOKUP, (kind, STEPS), (kind, part.name))

    c, middle = near.cast("bitcast", "i32"), near - WHOLE
    moved = (middle.cast("bitcast", "i32") + in_parts(step, c, PART)).cast("bitcast", "float")
    minus = z.put("float", f"fneg {z.typed(z)}").name
    off = fused(middle, moved, minus).cast("bitcast", "i32")  # its sign is that of the exact difference
    return c + off.put("i32", f"lshr {off.typed(off)}, {off.text(31)}")


def fused(a: Value, b: Value, c: str) -> Value:
    """Return ``a * b + c``, rounded once."""
    kind = a.lines.kind("float")
    return a.call("float", f"@llvm.fma.v{a.lines.lanes}f32", (kind, a.name), (kind, b.name), (kind, c))

"""Square roots that are rounded correctly on every processor.

``torch.sqrt`` of a CPU tensor calls the vector mathematics of Intel's MKL.  On Intel processors that root
is rounded correctly; on AMD's it is 1 ULP off for 16 % of float32 and for 1 % of float64 (PyTorch 2.13), and
so are ``pow(x, 0.5)`` and ``torch._foreach_sqrt``.  NumPy, the machine code of
:mod:`adamcore.backends.kernels.llvm` and PyTorch's fused optimizers use the processor's instruction, which
IEEE 754 requires to be exact.  The functions here give the same bits as those, without asking for the brand.

Other devices keep their own root.  That of CUDA is rounded correctly: 0 ULP for ``sqrt`` and ``sqrtf``
(CUDA C++ Programming Guide, "Mathematical Functions"), unless compiled with ``-prec-sqrt=false``, which
PyTorch is not.
"""

from __future__ import annotations

from typing import Any

import torch

try:
    import numpy as np
except ModuleNotFoundError:
    np: Any = None  # type: ignore[no-redef]

from adamcore.backends.torch.uniform import wrapped

PLAIN = (torch.Tensor, torch.nn.Parameter)
SPLITTER = 2.0**27 + 1.0  # of Veltkamp: it halves the 53 bits of a float64
HALF_ULP = 2.0**-53 * (1.0 + 2.0**-52)  # times y it is above half an ULP of y, and below one


def sqrt(x: torch.Tensor) -> torch.Tensor:
    """Return the square root of a real tensor, on the CPU rounded correctly; autograd can follow it.

    Example:
        >>> sqrt(torch.tensor([2.0, 9.0, -0.0, -1.0]))
        tensor([1.4142, 3.0000, -0.0000,    nan])
    """
    if not x.is_cpu:
        return torch.sqrt(x)
    if by_numpy(x):
        return numpy_sqrt(x, torch.empty_like(x))
    return corrected(x) if x.dtype == torch.float64 else widened(x)


def sqrt_of_correction(x: torch.Tensor) -> torch.Tensor:
    """Return :func:`sqrt` of a bias correction ``1 - b**t``, which is between 2**-53 and 1.

    No product of :func:`nearest` is subnormal there.  Inductor computes what is left in the kernel that
    needs it; the root of :func:`corrected` has more operations and becomes a kernel of its own.
    """
    return sqrt(x) if not x.is_cpu or by_numpy(x) or x.dtype != torch.float64 else nearest(x)


def sqrt_(x: torch.Tensor) -> torch.Tensor:
    """Replace a real tensor by its square root, on the CPU rounded correctly, and return it."""
    if not x.is_cpu:
        return torch.sqrt_(x)
    return numpy_sqrt(x, x) if by_numpy(x) else x.copy_(sqrt(x))


def foreach_sqrt(xs: list[torch.Tensor]) -> list[torch.Tensor]:
    """Return the square roots of tensors of one device."""
    return list(map(sqrt, xs)) if xs[0].is_cpu else list(torch._foreach_sqrt(xs))


def foreach_sqrt_(xs: list[torch.Tensor]) -> None:
    """Replace tensors of one device by their square roots."""
    if xs[0].is_cpu:
        for x in xs:
            sqrt_(x)
    else:
        torch._foreach_sqrt_(xs)


def by_numpy(x: torch.Tensor) -> bool:
    """True if nothing but the values in memory matters, so that NumPy can read them there.

    No compiler, autograd (backward or forward), transformation of torch.func or dispatch mode may
    have to see the operation.
    """
    if torch.compiler.is_compiling() or np is None:
        return False
    tangent: Any = torch.autograd.forward_ad.unpack_dual(x).tangent
    return (
        type(x) in PLAIN
        and x.dtype in (torch.float32, torch.float64)
        and not (x.requires_grad and torch.is_grad_enabled())
        and not wrapped(x)
        and tangent is None
        and torch._C._len_torch_dispatch_stack() == 0
        and not x.is_neg()
    )


def numpy_sqrt(x: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
    """Write the root of one CPU tensor into another, or into itself."""
    with np.errstate(all="ignore"):  # the root of a negative number is NaN, as in PyTorch
        np.sqrt(x.detach().numpy(), out=out.detach().numpy())
    return out


def widened(x: torch.Tensor) -> torch.Tensor:
    """Return the root of float32 or narrower numbers: formed in float64, then rounded once.

    That is exact even if the root in float64 is 1 ULP off.  Only a number on the other side of a midpoint
    ``k * 2**-24`` (k odd) between two float32 would be rounded wrongly.  For x in [1, 4), a multiple of
    2**-23, ``|x - (k * 2**-24)**2| >= 2**-48``, so the exact root is at least ``2**-48 / 4 = 2**-50`` from
    every midpoint: four ULP of float64.
    """
    return torch.sqrt(x.to(torch.float64)).to(x.dtype)


def corrected(x: torch.Tensor) -> torch.Tensor:
    """Return the root of float64 numbers, by :func:`nearest`.

    A factor that is a power of four keeps every product normal.
    """
    tiny = x < 2.0**-512
    root = nearest(torch.where(tiny, x * 2.0**510, x * 0.25))
    return torch.where(tiny, root * 2.0**-255, root * 2.0)


def nearest(x: torch.Tensor) -> torch.Tensor:
    """Return the root of float64 numbers: PyTorch's own, moved to the neighbour that is nearer.

    PyTorch's root y may be 1 ULP off.  The residual ``r = x - y*y`` is formed exactly, by the products of
    Veltkamp and Dekker.  In units of ``ulp(y)**2`` r, y*ulp(y) and their like are integers, so
    ``sqrt(x) > y + ulp(y)/2`` is the same as ``r > y*ulp(y)``, and ``sqrt(x) < y - ulp(y)/2`` the same as
    ``r <= -y*ulp(y)``; below a power of two the ULP is half as long.  Zeros, infinities and NaN fail both
    comparisons or are moved by 0.
    """
    root = torch.sqrt(x)
    y = root.detach()  # autograd sees PyTorch's root and a constant added to it
    large = y * SPLITTER
    high = large - (large - y)
    low = y - high
    square = y * y
    r = (x.detach() - square) - (((high * high - square) + (high + high) * low) + low * low)
    step = y.abs() * HALF_ULP
    up, down = y + step, y - step  # the neighbours: rounded, half an ULP and a bit is one ULP
    return torch.where(r > (up - y) * y, root + step, torch.where(r <= (down - y) * y, root - step, root))

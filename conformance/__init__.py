"""The conformance suite: does an implementation of Adam follow the dialect that it claims?

* :func:`check` is the command ``adamcore check`` as a function.
* :func:`assert_conforms` is the same as an assertion.  It raises :class:`ConformanceError`.
* :func:`kernel` makes a candidate of a function that is one step, such as one that launches a GPU kernel.

All load the suite when they are called, so that ``import adamcore.conformance`` is fast.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if __name__ != "adamcore.conformance":  # pragma: no cover - a guard against a bare sys.path entry
    raise ImportError(f"import adamcore.conformance, not {__name__}: 'conformance' is only its folder")

if TYPE_CHECKING:
    from adamcore.conformance.candidates.kernel_options import Kernel
    from adamcore.conformance.errors import ConformanceError as ConformanceError
    from adamcore.conformance.report.report import Report

__all__ = ["ConformanceError", "assert_conforms", "check", "kernel"]


def check(*targets: str, **options: Any) -> Report:
    """Run targets on the probes, judge them under their claims and return the report.

    Args:
        targets: what to check, such as ``"torch.optim:AdamW"``; none means every backend of adamcore.
        options: those of :func:`adamcore.conformance.checking.check.check`.

    Raises:
        UsageError: a target or an option that makes no sense.
        DialectError: an unknown dialect.

    Example:
        >>> report = check("numpy", dialect="paper", dtypes=["float32"], probes=["STEP.1/fingerprint"])
        >>> report.exit_code
        0
    """
    from adamcore.conformance.checking import check as checking

    return checking.check(targets, **options)


def assert_conforms(target: Any, dialect: str | None = None, **options: Any) -> Report:
    """Return the report of a target that conforms; raise :class:`ConformanceError` otherwise.

    Args:
        target: what :func:`check` takes, or an optimizer class, an optax factory or an array candidate.
        dialect: the claim.
        options: those of :func:`check`.

    Raises:
        ConformanceError: the target deviates, broke or is not available; the message has the findings.  It
            is an ``AssertionError``.
        UsageError: the target or an option makes no sense.
    """
    __tracebackhide__ = True
    from adamcore.conformance.testing import asserting

    return asserting.assert_conforms(target, dialect, **options)


def kernel(function: Callable[..., Any], **options: Any) -> Kernel:
    """Return a kernel, which is a candidate: a function that makes a step of one array, or of lists of them.

    A function whose arguments have usual names needs this only for the options: ``kernel:file.py:function``
    names it as it is.  Any other function gets an adapter of a line.  In it ``p``, ``g``, ``m`` and ``v`` are
    arrays of one shape and dtype, ``t`` is the number of the update (1 in the first), and ``h`` has ``lr``,
    ``b1``, ``b2``, ``eps``, ``weight_decay``, ``eps_root``, the corrections ``bc1`` and ``bc2``
    (``1-b1**t`` and ``1-b2**t``) and ``bc2_sqrt``, and ``grad_scale``, ``inv_scale`` and ``found_inf``.  What
    it reads of ``h`` is what the kernel claims to take.

    Args:
        function: the kernel.  It writes to ``p``, ``m`` and ``v``, or returns new ones in this order.
        options: any of these.

            * ``signature``: the names of its arguments, such as ``"p, g, m, v, t, lr, *, eps"``, if Python
              cannot read them
            * ``dialect``: its claim, such as ``"torch.AdamW"``
            * ``arrays``: ``"numpy"``, ``"torch"`` or ``"jax"``, if its code does not show which
            * ``device``: the device of these arrays, such as ``"cuda"``
            * ``returns``: what it returns, if that is not p, m, v: ``"v, m, p"``
            * ``dtypes``: those that it takes, if not float32 and float64; bfloat16 and float16 too
            * ``strided``: True if it takes arrays that are not contiguous
            * ``flushes_subnormals``: True if it flushes subnormal numbers to zero

    Raises:
        SettingError: an option has no meaning.

    Example:
        >>> adam = kernel(lambda p, g, m, v, t, h: (p - h.lr * g, m, v), dialect="torch.AdamW")
        >>> adam.dialect
        'torch.AdamW'
    """
    from adamcore.conformance.candidates.kernel_options import make_kernel

    return make_kernel(function, **options)


def __getattr__(name: str) -> Any:
    if name == "ConformanceError":
        from adamcore.conformance.errors import ConformanceError

        return ConformanceError
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""The conformance suite: does an implementation of Adam follow the dialect that it claims?

* :func:`check` is the command ``adamcore check`` as a function.
* :func:`assert_conforms` is the same as an assertion.  It raises :class:`ConformanceError`.

Both load the suite when they are called, so that ``import adamcore.conformance`` is fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if __name__ != "adamcore.conformance":  # pragma: no cover - a guard against a bare sys.path entry
    raise ImportError(f"import adamcore.conformance, not {__name__}: 'conformance' is only its folder")

if TYPE_CHECKING:
    from adamcore.conformance.errors import ConformanceError as ConformanceError
    from adamcore.conformance.report.report import Report

__all__ = ["ConformanceError", "assert_conforms", "check"]


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


def __getattr__(name: str) -> Any:
    if name == "ConformanceError":
        from adamcore.conformance.errors import ConformanceError

        return ConformanceError
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""The conformance suite: exact oracle, derived tolerance, designed probes, verdicts.

:func:`check` is the command ``adamcore check`` as a function, :func:`assert_conforms` the same as an
assertion; they import what they need when called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if __name__ != "adamcore.conformance":  # pragma: no cover - a guard against a bare sys.path entry
    raise ImportError(f"import adamcore.conformance, not {__name__}: 'conformance' is only its folder")

if TYPE_CHECKING:
    from adamcore.conformance.report.report import Report

__all__ = ["assert_conforms", "check"]


def check(*targets: str, **options: Any) -> Report:
    """Hold targets to their claims: ``check("optax:adamw", dialect="torch.AdamW").exit_code``.

    Options are those of :func:`adamcore.conformance.checking.check.check`.
    """
    from adamcore.conformance.checking import check as checking

    return checking.check(targets, **options)


def assert_conforms(target: Any, dialect: str | None = None, **options: Any) -> Report:
    """Raise, with the findings, unless a target, or a class or factory itself, conforms.

    Options and errors are those of :func:`adamcore.conformance.testing.asserting.assert_conforms`.
    """
    __tracebackhide__ = True
    from adamcore.conformance.testing import asserting

    return asserting.assert_conforms(target, dialect, **options)

"""What :meth:`adamcore.Adam.check_numerics` found, as data and as text."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

SHOWN = 8  #: leaves named in the text for one kind of finding


class NumericsWarning(UserWarning):
    """An optimizer was made with ``check_numerics``, and its dtypes lose a part of its steps."""


@dataclass(frozen=True)
class Finding:
    """One thing that a dtype loses.

    Args:
        what: its kind, such as "step-lost"; docs/numerics.md lists them.
        path: the leaf, such as ``params['w']``; of several that are alike, the first.
        dtype: the name of the dtype that loses it.
        numbers: what it was derived from, and how much is lost, by name.
        message: a sentence, with what to do about it.
        others: the other leaves of which it is true, where it does not depend on their values.
    """

    what: str
    path: str
    dtype: str
    numbers: Mapping[str, float]
    message: str
    others: tuple[str, ...] = ()

    def __str__(self) -> str:
        more = f" and {len(self.others)} more" if self.others else ""
        return f"{self.path}{more}, {self.dtype}: {self.message}"


@dataclass(frozen=True)
class NumericsReport:
    """All findings; it is true if there are any, and its text names each.

    Args:
        findings: those that lose the largest part of a leaf first.
        unread: the leaves whose values could not be looked at, since they are traced by a compiler or are
            of a dtype that is not known here.

    Example:
        >>> print(NumericsReport())
        nothing is lost
    """

    findings: tuple[Finding, ...] = ()
    unread: tuple[str, ...] = field(default=())

    @classmethod
    def of(cls, reports: Iterable[NumericsReport]) -> NumericsReport:
        """Return several reports as one."""
        reports = list(reports)
        findings = [finding for report in reports for finding in report.findings]
        return cls(tuple(findings), tuple(path for report in reports for path in report.unread))

    def renamed(self, names: Mapping[str, str]) -> NumericsReport:
        """Return the report with other names of its leaves."""

        def new(paths: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(names.get(path, path) for path in paths)

        findings = (replace(x, path=names.get(x.path, x.path), others=new(x.others)) for x in self.findings)
        return NumericsReport(tuple(findings), new(self.unread))

    def warn(self, stacklevel: int = 2) -> None:
        """Warn of the findings, if there are any, as a :class:`NumericsWarning`."""
        if self:
            warnings.warn(str(self), NumericsWarning, stacklevel + 1)

    def __bool__(self) -> bool:
        return bool(self.findings)

    def __str__(self) -> str:
        lines = []
        for what in dict.fromkeys(finding.what for finding in self.findings):
            alike = [finding for finding in self.findings if finding.what == what]
            lines += [f"[{what}] {finding}" for finding in alike[:SHOWN]]
            if len(alike) > SHOWN:
                lines.append(f"[{what}] and {len(alike) - SHOWN} more leaves")
        if not lines:
            lines.append("nothing is lost")
        if self.unread:
            more = f" and {len(self.unread) - 1} more" if len(self.unread) > 1 else ""
            lines.append(f"not looked at: the values of {self.unread[0]}{more}")
        return "\n".join(lines)

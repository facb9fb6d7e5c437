"""A door for imports of before: :func:`write_all` is in :mod:`adamcore.conformance.report.write`."""

from adamcore.conformance.report.write import write_all as write_all

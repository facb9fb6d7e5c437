"""What a dtype loses of an Adam before it is trained: the report of :meth:`adamcore.Adam.check_numerics`.

The package knows no tree and no array library.  :mod:`adamcore.adam` gives it the leaves and their dtypes.
"""

from adamcore.numerics.report import Finding, NumericsReport, NumericsWarning

__all__ = ["Finding", "NumericsReport", "NumericsWarning"]

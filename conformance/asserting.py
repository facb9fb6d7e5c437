"""A door for imports of before; :class:`ConformanceError` is in :mod:`adamcore.conformance`."""

from adamcore.conformance.errors import ConformanceError as ConformanceError
from adamcore.conformance.testing.asserting import assert_conforms as assert_conforms

"""The audit: judge a recorded training run without the code that made it.

:class:`Recorder` writes the file in a training loop, and ``adamcore audit FILE`` judges it.  See
docs/audit.md.
"""

from adamcore.conformance.audit.arrays import RecordingError
from adamcore.conformance.audit.recorder import Recorder

__all__ = ["Recorder", "RecordingError"]

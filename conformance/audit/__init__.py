"""The audit: a recorded training run, judged without the code that made it.

:class:`Recorder` makes the file in a training loop; ``adamcore audit FILE`` judges it.  See
docs/audit.md.
"""

from adamcore.conformance.audit.arrays import RecordingError
from adamcore.conformance.audit.recorder import Recorder

__all__ = ["Recorder", "RecordingError"]

"""Worker processes: each runs one candidate in one dtype.

:mod:`pool` starts workers and yields their events, :mod:`process` is one worker as the check sees it,
:mod:`launch` has its process, :mod:`memory` measures it, and :mod:`worker` is what runs inside it.
"""

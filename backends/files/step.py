"""A step of arrays in files: all batches under a ceiling, read ahead and written behind."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from adamcore._minimize import bar
from adamcore.backends.files.batches import SETS, Budget, Buffer, batches
from adamcore.backends.files.blocks import Blocks, Loaded
from adamcore.backends.files.formats import files_of
from adamcore.backends.files.stream import stream
from adamcore.backends.io.atomic import sync

SYNC = 1 << 30  #: bytes that are written before they, and how far the step is, are put on the disk


class Mover:
    """Carries out tasks in this process.

    Args:
        blocks: the tasks.
        budget: how the ceiling is divided.
        saved: called with the number of batches that are on the disk.
    """

    def __init__(
        self, blocks: Blocks, budget: Budget, saved: Callable[[int], None] = lambda done: None
    ) -> None:
        self.blocks, self.saved = blocks, saved
        leaves = [task.leaf for task in blocks.tasks.values()]
        self.size = sum(leaf.size for leaf in leaves)
        self.batches = batches(leaves, budget.set, budget.buffer)
        self.done = self.unsaved = 0
        self.written: set[Path] = set()

    def run(self, done: int = 0, progress: bool = False) -> None:
        """Carry out all batches from number ``done`` on."""
        self.done, blocks = done, self.blocks
        largest = max(map(blocks.bytes_of, self.batches), default=0)
        buffers = [Buffer(largest) for _ in range(min(SETS, len(self.batches)))]
        with bar(self.size if progress else None, "step") as shown:
            stepped = sum(piece.stop - piece.start for batch in self.batches[:done] for piece in batch)

            def write(loaded: Loaded) -> None:
                nonlocal stepped
                self.write(loaded)
                stepped += sum(piece.stop - piece.start for piece, _ in loaded)
                shown(stepped, f"{stepped / 1e6:.0f}M elements")

            stream(self.batches[done:], buffers, blocks.read, blocks.work, write)
        self.sync()

    def write(self, loaded: Loaded) -> None:
        """Write the pieces; now and then, have all that was written be on the disk."""
        self.written |= self.blocks.write(loaded)
        self.unsaved += self.blocks.bytes_written(loaded)
        self.done += 1
        if self.unsaved >= SYNC:
            self.sync()
            self.saved(self.done)

    def sync(self) -> None:
        """Have all that was written be on the disk."""
        sync_all(self.written)
        self.written, self.unsaved = set(), 0


def sync_all(paths: Iterable[Path]) -> None:
    """Have files be on the disk, and all files in folders."""
    for path in sorted(paths):
        for file in files_of(path) if path.is_dir() else ():
            sync(file)
        sync(path)

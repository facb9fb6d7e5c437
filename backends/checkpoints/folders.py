"""Folders that trainers write: which optimizer's state is in them, and in which form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from adamcore.backends.checkpoints.deepspeed import is_universal, is_zero, read_universal, read_zero
from adamcore.backends.checkpoints.distributed import is_distributed, load_tensors, open_distributed
from adamcore.backends.checkpoints.lerobot import STATE
from adamcore.backends.checkpoints.state_dicts import StateDict, choose_optimizer
from adamcore.errors import CheckpointError

LATEST = ("latest", "latest_universal")  #: DeepSpeed's files with the name of the folder inside
FILES = ("optimizer.pt", "optimizer.bin", STATE)  #: of Hugging Face's Trainer, Accelerate, LeRobot
FOLDERS = ("training_state", "optimizer_0", "optimizer")  #: of LeRobot, Accelerate and others


def read_folder(folder: Path, key: str | None = None) -> StateDict | None:
    """Return the optimizer's state in a folder that holds one as many files; None if it is no such folder.

    Args:
        folder: a distributed checkpoint, or what DeepSpeed wrote.
        key: where the optimizer lies in it, if it has several.

    Raises:
        CheckpointError: the folder is damaged or incomplete, or has no optimizer or several.
    """
    if is_distributed(folder):
        chosen: Any = choose_optimizer(open_distributed(folder), str(folder), key)
        return {part: load_tensors(value, folder) for part, value in chosen.items()}
    if is_universal(folder):
        return read_universal(folder)
    return read_zero(folder) if is_zero(folder) else None


def place_in(folder: Path) -> Path:
    """Return the file or the folder with the optimizer's state in a trainer's folder; else ``folder`` itself.

    Raises:
        CheckpointError: there are several.
    """
    for name in LATEST:
        if (folder / name).is_file():
            text = (folder / name).read_text(encoding="utf-8", errors="replace").strip()
            inside = folder / text if text and Path(text).name == text else folder
            if inside.is_dir():
                return inside
    if is_distributed(folder) or is_universal(folder) or is_zero(folder):
        return folder
    found = [folder / name for name in FILES if (folder / name).is_file()]
    found += [path for path in sorted(folder.glob("optimizer_[0-9]*.bin")) if path.is_file()]
    if len(found) > 1:
        raise CheckpointError(
            f"{folder} has {', '.join(path.name for path in found)}: expected one; give the file itself"
        )
    if found:
        return found[0]
    inner = [folder / name for name in FOLDERS if (folder / name).is_dir()]
    inner = [path for path in inner if is_distributed(path) or (path / STATE).is_file()]
    return place_in(inner[0]) if inner else folder

"""Files of ``torch.save``, read without running anything that is in them.

PyTorch's ``weights_only`` loader makes tensors and plain containers.  It refuses a file with anything else,
although a trainer's checkpoint often has its options (``argparse.Namespace``) beside the state.  Here an
inert stand-in takes the place of every other class or function that a file names: nothing is imported,
made or called on the file's behalf.
"""

from __future__ import annotations

import io
import re
import zipfile
from typing import Any

from adamcore.errors import BackendError, CheckpointError

LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  #: how files begin that PyTorch wrote before 1.6
MOST_CLASSES = 1000  #: classes for which a file may need a stand-in
TENSORS = r"torch\.distributed\..*\.DTensor|torchao\..*\.\w*(Tensor|OptimState)\w*"  #: subclasses of Tensor


class StandIn:
    """What stands in for an object of a class that is not loaded; it does nothing."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        pass

    def __new__(cls, *args: object, **kwargs: object) -> StandIn:
        return object.__new__(cls)

    def __setstate__(self, state: object) -> None:
        pass

    def __hash__(self) -> int:
        return id(self)


def is_torch(data: bytes) -> bool:
    """True if PyTorch wrote a file with this content."""
    if data.startswith(LEGACY):
        return True
    if data[:4] != b"PK\x03\x04":
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return any(name.endswith("/data.pkl") or name == "data.pkl" for name in archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError):  # damaged, or a number or name in it is
        return False


def load_torch(data: bytes, where: str) -> Any:
    """Return the content of a file of PyTorch's: tensors, plain containers and stand-ins.

    Args:
        data: the content of the file.
        where: the name of the file, for messages.

    Raises:
        CheckpointError: the file is damaged, or its objects can't be stood in for.
        BackendError: PyTorch is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise BackendError(f"{where} is a file of PyTorch's: install torch to read it") from error
    stand_ins: dict[str, Any] = {}
    while True:
        try:
            with torch.serialization.safe_globals([(x, name) for name, x in stand_ins.items()]):
                return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        except Exception as error:
            name = refused_name(str(error))
            known = len(stand_ins)
            for other in foreign_names(data) if not stand_ins else []:
                stand_ins[other] = stand_in(other)
            if name is not None and name not in stand_ins and known < MOST_CLASSES:
                stand_ins[name] = stand_in(name)
            if len(stand_ins) == known:
                raise CheckpointError(reason(error, where, list(stand_ins))) from error


def foreign_names(data: bytes) -> list[str]:
    """Return the classes and functions in a file that PyTorch would refuse; [] if it cannot say."""
    import torch

    try:
        return list(torch.serialization.get_unsafe_globals_in_checkpoint(io.BytesIO(data)))[:MOST_CLASSES]
    except Exception:  # a damaged or an old file; loading it says which
        return []


def stand_in(name: str) -> type:
    """Return a new inert class in place of the one of this name."""
    if not re.fullmatch(TENSORS, name):
        return type("StandIn", (StandIn,), {"stands_for": name})
    import torch

    def keep(self: Any, state: Any) -> None:
        for part in state if isinstance(state, tuple) else (state,):
            if isinstance(part, dict):
                self.__dict__.update(part)

    def dispatch(cls: type, func: Any, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"a stand-in for {name} has no values")

    parts = {"stands_for": name, "__setstate__": keep, "__torch_dispatch__": classmethod(dispatch)}
    return type("TensorStandIn", (torch.Tensor,), parts)


def refused_name(text: str) -> str | None:
    """Return the class or function that PyTorch's loader refuses in this message; None if it does not.

    >>> refused_name("Unsupported global: GLOBAL argparse.Namespace was not an allowed global by default.")
    'argparse.Namespace'
    """
    found = re.search(r"Unsupported global: GLOBAL (\S+) was not an allowed global", text)
    if found is None:
        return None
    return found[1] if "." in found[1] else f"builtins.{found[1]}"


def reason(error: Exception, where: str, names: list[str]) -> str:
    """Return why a file can't be read, in one sentence without the loader's own advice."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    blocked = re.search(r"GLOBAL (\S+) whose module \S+ is blocked", text)
    if blocked is not None:
        return (
            f"{where} holds {blocked[1]}, which could run programs, and is never loaded: save the "
            "optimizer's state_dict alone (torch.save(optimizer.state_dict(), ...)) and convert that"
        )
    if names and "Weights only load failed" in text:
        shown = ", ".join(names[:3])
        return (
            f"{where} holds objects of classes that can't be left out ({shown}), and is never loaded with "
            "them: save the optimizer's state_dict alone (torch.save(optimizer.state_dict(), ...)) and "
            "convert that"
        )
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    said = next((line for line in lines if "Error: " in line), lines[0] if lines else type(error).__name__)
    if (unpickler := re.search(r"WeightsUnpickler error:\s*(\S[^\n]*)", text)) is not None:
        said = unpickler[1]
    return f"{where} is damaged, or no file of torch.save ({said[:200]})"

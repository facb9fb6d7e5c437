"""Files of torch.save: nothing in them is run, whatever it is."""

from __future__ import annotations

import argparse
import io
import zipfile
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from adamcore.backends.checkpoints.torch_files import LEGACY, is_torch, load_torch
from adamcore.errors import CheckpointError

torch = pytest.importorskip("torch")


class Colour(Enum):
    RED = 1


class Call:
    """An object whose pickle calls a function with an argument."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.call = (function, args)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


def saved(content: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("zipped", [True, False])
def test_what_stands_beside_the_state_is_not_made(tmp_path: Path, zipped: bool) -> None:
    made = tmp_path / "made"
    content = {
        "w": torch.arange(3),
        "args": argparse.Namespace(lr=1, folder=Path("x")),
        "colour": Colour.RED,
        "call": Call(exec, f"open({str(made)!r}, 'w').close()"),
        "import": Call(__import__, "adamcore_not_there"),
    }
    known = set(torch.serialization.get_safe_globals())
    data = saved(content, _use_new_zipfile_serialization=zipped)
    assert is_torch(data)
    assert data.startswith(LEGACY) is not zipped
    loaded = load_torch(data, "run.pt")
    assert loaded["w"].tolist() == [0, 1, 2]
    assert type(loaded["args"]).__name__ == "StandIn"
    assert not made.exists()
    assert set(torch.serialization.get_safe_globals()) == known


def test_what_is_refused_says_what_to_do() -> None:
    import os

    with pytest.raises(
        CheckpointError, match=r"holds (posix|nt)\.\w+, which could run programs.*state_dict alone"
    ):
        load_torch(saved({"a": Call(os.getcwd)}), "run.pt")
    with pytest.raises(CheckpointError, match=r"can't be left out \(.*builtins\.getattr.*state_dict alone"):
        load_torch(saved({"a": Call(Path.exists, Path("x"))}), "run.pt")
    odd = saved({"a": torch.ones(9)}).replace(b"\x80\x02}", b"\x80\x02\xad")  # no such operation
    for data in (saved({"a": torch.ones(9)})[:-60], LEGACY + b"\x80\x02.", saved(1)[:200], odd):
        with pytest.raises(CheckpointError) as raised:
            load_torch(data, "run.pt")
        assert "run.pt is damaged" in str(raised.value)
        assert "weights_only" not in str(raised.value)  # the loader's advice is to run what is in the file
        assert "\x1b" not in str(raised.value)
    assert not is_torch(b"PK\x03\x04 no archive")
    assert not is_torch(b"")


def test_a_zip_file_with_a_damaged_name_is_not_pytorchs() -> None:
    """Its directory says that names are UTF-8, and one of them is not."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("archive/\u00fc", b"")
    whole = out.getvalue()
    assert not is_torch(whole)
    assert not is_torch(whole.replace("\u00fc".encode(), b"\xff\xff"))

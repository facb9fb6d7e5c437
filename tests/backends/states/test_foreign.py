"""Files of other libraries: read without unpickling, and gone on from."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from paths import ROOT

from adamcore import Adam
from adamcore.backends import states
from adamcore.backends.states.foreign import read, write
from adamcore.errors import CheckpointError, ConversionError

FILES = Path(__file__).parent / "files"  # written by TensorFlow 2.21 (compat.v1, a Saver's)


class Evil:
    """An object that creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (f"open({str(self.path)!r}, 'w').close()",)


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    w = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.Adam([w])
    w.grad = torch.ones(3)
    optimizer.step()
    torch.save({"optimizer": optimizer.state_dict(), "evil": Evil(tmp_path / "made")}, tmp_path / "evil.pt")
    assert read(tmp_path / "evil.pt", by_position=True).one_clock() == 1
    assert not (tmp_path / "made").exists()
    torch.load(tmp_path / "evil.pt", weights_only=False)
    assert (tmp_path / "made").exists()
    np.savez(tmp_path / "evil.npz", a=np.array([{}], dtype=object))
    with pytest.raises(CheckpointError, match="damaged, or no"):
        read(tmp_path / "evil.npz")
    torch.save({"optimizer": {"state": {}, "param_groups": []}}, tmp_path / "cut.pt")
    data = (tmp_path / "cut.pt").read_bytes()
    (tmp_path / "cut.pt").write_bytes(data[:-40])
    with pytest.raises(CheckpointError):
        read(tmp_path / "cut.pt", "torch")


@pytest.mark.parametrize(
    ("name", "kind", "t", "hyper"),
    [
        ("tf1_adam.npz", "tf1", 6, {"eps": 1e-4}),
    ],
)
def test_goes_on_from_a_real_file(name: str, kind: str, t: int, hyper: dict[str, Any]) -> None:
    """From the state on file, our step is the step that the library itself made next."""
    known = {"lr": 0.05, "b2": 0.99} | hyper
    state = read(FILES / name, hyper=known)
    assert state.one_clock() == t
    stem = name.partition(".")[0]
    with np.load(FILES / f"{stem}_next.npz") as file:
        params, grads, after = ({k[2:]: file[k] for k in file if k[0] == which} for which in "pgq")
    assert set(state.leaves) == set(params)
    moved, _ = state.adam.step(params, grads, states.to_adam(state, state.adam, params))
    for n, p in after.items():
        assert np.abs(moved[n] - p).max() < 1e-6  # lr is 0.05, p of size 1
    flat = states.to_flat(state, kind)
    theirs = np.load(FILES / name) if name.endswith("npz") else None
    for key, x in flat.items():
        if theirs is not None:
            assert np.allclose(theirs[key], x, rtol=1e-5, atol=0), key


def test_a_wrong_b2_is_told_by_a_real_file() -> None:
    with pytest.raises(CheckpointError, match="no whole number of steps"):
        read(FILES / "tf1_adam.npz", hyper={"b2": 0.98})


def test_npz_has_no_bfloat16(tmp_path: Path) -> None:
    """NumPy stores two nameless bytes an element; such a file is refused, written and read."""
    ml_dtypes = pytest.importorskip("ml_dtypes")
    m = np.ones(2, ml_dtypes.bfloat16)
    state = states.NamedState(Adam(), {"w": states.Moments(3, m, m)})
    with pytest.raises(ConversionError, match=r"bfloat16, which \.npz has no type for"):
        write(state, tmp_path / "s.npz", "mlx")
    assert not (tmp_path / "s.npz").exists()
    write(state, tmp_path / "s.safetensors", "mlx")
    assert read(tmp_path / "s.safetensors").leaves["w"].m.dtype == m.dtype
    arrays: dict[str, Any] = {"w.m": m, "w.v": m, "step": np.asarray(3)}
    np.savez(tmp_path / "old.npz", **arrays)
    with pytest.raises(CheckpointError, match="nameless bytes"):
        read(tmp_path / "old.npz")


def test_damaged_archives(tmp_path: Path) -> None:
    """A byte of the header says that what is inside is encrypted, patched, or of a version to come."""
    np.savez(tmp_path / "s.npz", **{"w.m": np.ones(2), "w.v": np.ones(2), "step": np.asarray(3)})  # type: ignore[arg-type]
    whole = (tmp_path / "s.npz").read_bytes()
    for first in (whole.index(b"PK\x03\x04"), whole.index(b"PK\x01\x02")):
        for k in range(first + 4, first + 14):
            for flipped in (0x01, 0x20, 0x80):
                data = whole[:k] + bytes([whole[k] ^ flipped]) + whole[k + 1 :]
                (tmp_path / "s.npz").write_bytes(data)
                with contextlib.suppress(CheckpointError):
                    assert read(tmp_path / "s.npz").one_clock() == 3


def test_damaged_hdf5(tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    whole = (ROOT / "tests" / "data" / "states" / "files" / "tensorflow" / "keras2.h5").read_bytes()
    signature = whole.index(b"SNOD")  # of a table of names
    (tmp_path / "s.h5").write_bytes(whole[:signature] + b"XXXX" + whole[signature + 4 :])
    with pytest.raises(CheckpointError, match="damaged, or no file of Keras'"):
        read(tmp_path / "s.h5")


@pytest.mark.parametrize("name", ["x" * 300, "x" * 300 + "/a.pt", "no/such/folder/a.pt"])
def test_a_name_that_no_file_can_have_is_said(name: str) -> None:
    with pytest.raises(CheckpointError, match="can't be read"):
        read(name)

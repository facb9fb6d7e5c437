"""The container that states and recordings share: its bytes, and what is refused in it."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adamcore import Adam
from adamcore.backends import states
from adamcore.backends.io.safetensors import as_tensor, decode, digest, encode
from adamcore.backends.states import Moments, NamedState
from adamcore.conformance.audit import Recorder
from adamcore.conformance.audit.arrays import tensor_values
from adamcore.errors import CheckpointError

A = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
B = {"dtype": "U8", "shape": [3], "data_offsets": [8, 11]}


def of(header: dict[str, Any] | bytes, size: int = 11) -> bytes:
    """A file with this header."""
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(head).to_bytes(8, "little") + head + bytes(range(size))


def test_the_bytes_on_file_stay() -> None:
    """As states (a space after a comma) and recordings (none) have always been written, and the hash."""
    tensors = {
        "b": as_tensor(np.asarray([[1.0, -2.0]], np.float32)),
        "a": as_tensor(np.asarray([3], np.uint8)),
    }
    body = bytes.fromhex("0000803f000000c0") + b"\3"
    loose = (
        b'{"__metadata__": {"k": "v"}, "b": {"dtype": "F32", "shape": [1, 2], "data_offsets": [0, 8]}, '
        b'"a": {"dtype": "U8", "shape": [1], "data_offsets": [8, 9]}}'
    )
    for separators, head in ((None, loose), ((",", ":"), loose.replace(b" ", b""))):
        head += b" " * (-len(head) % 8)
        written = b"".join(encode(tensors, {"k": "v"}, separators))
        assert written == len(head).to_bytes(8, "little") + head + body
        assert decode(written, "it", CheckpointError) == (tensors, {"k": "v"})
    assert digest(tensors, "text") == "b5729c0205a38695af7e68e690b69b04e95e7562238f253af3c3b54be543e1a3"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"1234567", "no safetensors file: it has 7 bytes, and is empty or cut"),
        (b"\2" + bytes(7), "is cut: a header of 2 bytes in a file of 8"),
        (b"\2" + bytes(7) + b"{", "is cut: a header of 2 bytes in a file of 9"),
        (b'{"some": {"json": 1}}', "no safetensors file: it begins with"),
        (b"\xff" * 8 + b"{}", "no safetensors file: it begins with"),
        (of({"a": A, "b": B | {"data_offsets": [7, 10]}}), "'b' begins at byte 7 .* ends at 8"),
        (of({"a": A, "b": B | {"data_offsets": [9, 12]}}, 12), "'b' begins at byte 9"),
        (of({"a": A, "b": B}, 12), "12 bytes of arrays, the header accounts for 11"),
        (of({"a": A, "b": B}, 10), "cut: array 'b' ends at byte 11 of the arrays, the file has 10"),
        (of({"a": A | {"shape": [3]}, "b": B}), r"'a': 8 bytes for F32\[3\], which takes 12"),
        (of({"a": A | {"shape": [-2]}, "b": B}), "'a': the header's entry is damaged"),
        (of({"a": A | {"shape": [2.0]}, "b": B}), "'a': the header's entry is damaged"),
        (of({"a": A | {"shape": [True, 2]}, "b": B}), "'a': the header's entry is damaged"),
        (of({"a": A, "b": B | {"data_offsets": [8]}}), "'b': the header's entry is damaged"),
        (of({"a": A | {"dtype": ["F32"]}, "b": B}), "'a': the header's entry is damaged"),
        (of({"a": 7}), "'a': the header's entry is damaged"),
        (of({"a": A | {"shape": [0, 2**62], "data_offsets": [0, 0]}}, 0), "'a': the header's entry is"),
        (of({"a": A | {"shape": [2] + [1] * 64}}, 8), "'a': the header's entry is"),
        (of({"a": A | {"dtype": "F8_E4M3"}, "b": B}), "'a' is of dtype F8_E4M3; expected one of F64, F32"),
        (of({"a": A, "b": B, "__metadata__": {"k": 1}}), "__metadata__ is no object of strings"),
        (of({"a": A, "b": B, "__metadata__": ["k"]}), "__metadata__ is no object of strings"),
        (of(b'{"a":' * 99999), "header is not JSON"),
        (of(b"{\xff}"), "header is not JSON"),
    ],
)
def test_a_damaged_file_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(CheckpointError, match=f"^some/file.*{said}"):
        decode(data, "some/file", CheckpointError)


def test_any_byte_may_be_wrong() -> None:
    """Whatever one changed byte does, it does not come out as another error."""
    good = b"".join(encode({"m/w": as_tensor(np.ones((2, 3), "float16"))}, {"k": "v"}))
    for place in range(len(good)):
        for byte in {*range(0, 256, 17), *b'0129"{}[],:-FIU'}:
            with contextlib.suppress(CheckpointError):
                decode(good[:place] + bytes([byte]) + good[place + 1 :], "it", CheckpointError)


def test_other_byte_orders_are_written_as_the_format_has_them(tmp_path: Path) -> None:
    x = np.array([1.0, -2.5], ">f4")
    states.save(NamedState(Adam(), {"w": Moments(1, x, x)}), tmp_path / "s")
    assert states.load(tmp_path / "s").leaves["w"].m.tolist() == [1.0, -2.5]
    recorder = Recorder({"lr": 1.0})
    recorder.step({"w": x}, {}, {"w": x})
    assert tensor_values(recorder.tensors["after/1/w"]).tolist() == [1.0, -2.5]

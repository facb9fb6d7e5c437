"""The handler of a custom call: its text is LLVM's language, and it says which interface it is for."""

from __future__ import annotations

import ctypes

import pytest

pytest.importorskip("jax")

from adamcore.backends.jax import ffi, ffi_handler
from adamcore.backends.kernels import llvm

pytestmark = pytest.mark.skipif(not ffi.available(), reason="no llvmlite, or an unknown interface")


def words(*values: int) -> ctypes.Array[ctypes.c_int64]:
    return (ctypes.c_int64 * len(values))(*values)


def test_it_tells_its_version_and_does_nothing_else_but_when_it_is_to_run() -> None:
    source = ffi_handler.handler("  store i64 7, ptr %args\n  ret ptr null")
    run = llvm.function(ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p), source, "handler")
    told, arguments = words(*[0] * 8), words(0)
    extension = words(0, 0, 0, ctypes.addressof(told))
    frame = words(*[0] * 16)
    frame[ffi_handler.EXTENSION] = ctypes.addressof(extension)
    frame[ffi_handler.ARGUMENTS + 2] = ctypes.addressof(arguments)
    assert run(frame) is None
    assert tuple(ctypes.cast(told, ctypes.POINTER(ctypes.c_int32))[6:8]) == ffi_handler.version()
    frame[ffi_handler.EXTENSION] = 0
    for stage, done in ((0, 0), (1, 0), (2, 0), (3, 7)):  # only the last is the execution
        frame[ffi_handler.STAGE] = stage
        assert run(frame) is None
        assert arguments[0] == done

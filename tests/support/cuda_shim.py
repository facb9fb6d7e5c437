"""The kernels for CUDA, compiled by g++ and run on the CPU: the very text, block after block.

What CUDA adds to C++ is made of a few definitions; a launch is a loop over blocks and threads, none of
which waits for another.
"""

from __future__ import annotations

import ctypes
import hashlib
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from adamcore.backends.kernels.cuda import kernel as cuda
from adamcore.backends.kernels.cuda.table import LARGE
from adamcore.backends.torch import nvrtc

BEFORE = """
#include <bit>
#include <cmath>
#include <type_traits>
#include <utility>
#define __global__
#define __device__
#define __grid_constant__
#define __launch_bounds__(n)
struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
template <class T> static T __ldcg(const T *at) {
  if ((long long)at % sizeof(T)) __builtin_trap();  // as the device does
  return *at;
}
template <class T> static void __stcg(T *at, T value) {
  if ((long long)at % sizeof(T)) __builtin_trap();
  *at = value;
}
struct Index { unsigned x; };
static Index blockIdx, threadIdx;
static float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
static unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
static float from_float16(unsigned short x) { return std::bit_cast<_Float16>(x); }
static unsigned short to_float16(float x) { return std::bit_cast<unsigned short>((_Float16)x); }
"""
AFTER = """
template <class... A, std::size_t... I>
void call(void (*kernel)(A...), void **arguments, std::index_sequence<I...>) {
  kernel(*(std::remove_cv_t<A> *)arguments[I]...);
}
template <class... A>
void every(void (*kernel)(A...), int blocks, void **arguments) {
  for (blockIdx.x = 0; blockIdx.x < (unsigned)blocks; ++blockIdx.x)
    for (threadIdx.x = 0; threadIdx.x < THREADS; ++threadIdx.x)
      call(kernel, arguments, std::index_sequence_for<A...>{});
}
extern "C" void run(int blocks, void **arguments) { every(KERNEL, blocks, arguments); }
"""
FLAGS = ("-std=c++20", "-O0", "-ffp-contract=off", "-fno-strict-aliasing", "-shared", "-fPIC", "-w")
needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="no g++ to compile the kernels with")


class Shim:
    """What :class:`adamcore.backends.torch.nvrtc.Cuda` is, with the CPU as its device."""

    def __init__(self, folder: Path, words: int = LARGE) -> None:
        self.folder, self.words = folder, words
        self.launched: list[tuple[str, int]] = []  # (name, blocks)
        self.loaded: dict[str, Any] = {}

    def guard(self, device: Any) -> Any:
        return nullcontext()

    def kernel(self, source: str, name: str, device: Any) -> nvrtc.Launch:
        run = self.loaded.get(source)
        if run is None:
            run = self.loaded[source] = built(self.folder, source, name)

        def launch(blocks: int, arguments: Sequence[int]) -> None:
            assert 0 < blocks < 2**31
            self.launched.append((name, blocks))
            run(blocks, (ctypes.c_void_p * len(arguments))(*arguments))

        return launch


def built(folder: Path, source: str, name: str) -> Any:
    """The function that runs a kernel; what was compiled before is taken from the folder."""
    after = AFTER.replace("THREADS", str(cuda.THREADS)).replace("KERNEL", name)
    text = BEFORE + source + after
    target = folder / f"{hashlib.sha256(text.encode()).hexdigest()[:20]}.so"
    if not target.exists():
        code = target.with_suffix(".cpp")
        code.write_text(text)
        done = subprocess.run(["g++", *FLAGS, "-o", target, code], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    run = ctypes.CDLL(str(target)).run
    run.restype = None
    return run


@contextmanager
def pretending(shim: Shim, sees: bool = False) -> Iterator[Shim]:
    """The CPU taken for a device; what stands there is out of the host's sight, unless it ``sees``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nvrtc, "stand_in", ("cpu", shim))
        if sees:
            patch.setattr(nvrtc, "on_host", lambda x: x.is_cpu)
        yield shim

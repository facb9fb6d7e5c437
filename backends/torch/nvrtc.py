"""Kernels compiled and launched on PyTorch's CUDA devices, with no compiler on the machine.

NVRTC, NVIDIA's compiler as a library, comes with PyTorch; the driver comes with the GPU.  This module
calls both through their C interfaces.  PyTorch's own ``torch.cuda._compile_kernel`` is private and needs
an installed CUDA toolkit.  If NVRTC or the driver is missing (ROCm, MPS, a PyTorch for the CPU),
:func:`unsupported` says so.

A launch goes to the current stream of the tensors' device, as every operation of PyTorch does.  PyTorch
gives freed memory only to later work of the same stream, so no tensor has to be kept for a launch.
"""

from __future__ import annotations

import ctypes
import warnings
from array import array
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Protocol

import torch

from adamcore.backends.kernels.cuda.kernel import OPTIONS, THREADS, fill_text
from adamcore.backends.kernels.cuda.table import LARGE, SMALL

RELAXED = 2  # CU_STREAM_CAPTURE_MODE_RELAXED
NUM_REGS = 4  # CU_FUNC_ATTRIBUTE_NUM_REGS
TEGRA = {72, 87, 101}  #: architectures whose machine code no other GPU runs, of the same major version or not
OLDEST = (7, 0)  #: the oldest compute capability that the kernels run on

Launch = Callable[[int, Sequence[int]], None]  #: (blocks, the addresses of the arguments)


class Runtime(Protocol):
    """The compiler and the launcher for one kind of device."""

    words: int  #: the largest number of words in the table of a launch

    def kernel(self, source: str, name: str, device: torch.device) -> Launch:
        """Return a kernel, compiled once for each device.

        Raises:
            RuntimeError: the source cannot be compiled or loaded.
        """

    def guard(self, device: torch.device) -> Any:
        """Return a context in which launches go to this device."""


class Cuda:
    """The runtime of NVRTC and the CUDA driver."""

    def __init__(self, nvrtc: Any, driver: Any) -> None:
        self.nvrtc, self.driver = nvrtc, driver
        self.words = (
            LARGE if min(nvrtc_version(nvrtc.nvrtcVersion), driver_version(driver)) >= (12, 1) else SMALL
        )
        self.kernel = lru_cache(maxsize=None)(self.compile_kernel)

    def guard(self, device: torch.device) -> Any:
        return torch.cuda.device(device)

    def compile_kernel(self, source: str, name: str, device: torch.device) -> Launch:
        capability = torch.cuda.get_device_capability(device)
        binary = compile_source(self.nvrtc, source, architecture(self.nvrtc, capability))
        with self.guard(device):  # which puts back the device that was current
            context, function = self.load(binary, name, device)
        driver, check = self.driver, self.check

        def launch(blocks: int, arguments: Sequence[int]) -> None:
            stream = ctypes.c_void_p(torch.cuda.current_stream(device).cuda_stream)
            pointers = (ctypes.c_void_p * len(arguments))(*arguments)
            check(driver.cuCtxSetCurrent(context))  # a thread of the user's may have none yet
            check(
                driver.cuLaunchKernel(function, blocks, 1, 1, THREADS, 1, 1, 0, stream, pointers, None)
            )  # the arguments are copied before it returns

        return launch

    def load(self, binary: bytes, name: str, device: torch.device) -> tuple[ctypes.c_void_p, ctypes.c_void_p]:
        """Load a kernel into PyTorch's context of a device, and return that context and the kernel."""
        context, module, function = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
        mode, registers = ctypes.c_int(RELAXED), ctypes.c_int()  # else a load would break a graph's capture
        driver, check = self.driver, self.check
        check(driver.cuThreadExchangeStreamCaptureMode(ctypes.byref(mode)))
        try:
            check(driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), device.index))
            check(driver.cuCtxSetCurrent(context))
            check(driver.cuModuleLoadData(ctypes.byref(module), binary))
            check(driver.cuModuleGetFunction(ctypes.byref(function), module, name.encode()))
            # A driver that loads lazily would load the kernel at its first launch, which may be captured.
            check(driver.cuFuncGetAttribute(ctypes.byref(registers), NUM_REGS, function))
        finally:
            check(driver.cuThreadExchangeStreamCaptureMode(ctypes.byref(mode)))
        return context, function

    def check(self, result: int) -> None:
        """Raise RuntimeError with the driver's message unless ``result`` is 0."""
        if result:
            words = ctypes.c_char_p()
            self.driver.cuGetErrorString(result, ctypes.byref(words))
            raise RuntimeError(f"CUDA: {(words.value or b'unknown error').decode()}")


def architecture(nvrtc: Any, capability: tuple[int, int]) -> str:
    """Return what to compile for on a GPU of this compute capability.

    Machine code ("sm_90") runs on later GPUs of the same major version.  Where NVRTC knows no architecture
    of that version, it is a virtual one ("compute_90"), which the driver compiles for the GPU.

    Raises:
        RuntimeError: NVRTC knows no architecture that the GPU can run.
    """
    count = ctypes.c_int()
    nvrtc.nvrtcGetNumSupportedArchs(ctypes.byref(count))
    known = (ctypes.c_int * count.value)()
    nvrtc.nvrtcGetSupportedArchs(known)
    here = 10 * capability[0] + capability[1]
    older = [arch for arch in known if arch == here or (arch < here and arch not in TEGRA)]
    if not older:
        raise RuntimeError(f"NVRTC knows no architecture for a GPU of compute capability {here / 10}")
    best = max(older)
    return f"sm_{best}" if best // 10 == capability[0] else f"compute_{best}"


def compile_source(nvrtc: Any, source: str, architecture: str) -> bytes:
    """Return what the driver loads, for one architecture of :func:`architecture`.

    Raises:
        RuntimeError: with the compiler's log.
    """

    def check(result: int) -> None:
        if result:
            raise RuntimeError(f"NVRTC: {nvrtc.nvrtcGetErrorString(result).decode()}")

    def read(size: Callable[..., int], get: Callable[..., int]) -> bytes:
        count = ctypes.c_size_t()
        check(size(made, ctypes.byref(count)))
        text = ctypes.create_string_buffer(count.value)
        check(get(made, text))
        return text.raw

    nvrtc.nvrtcGetErrorString.restype = ctypes.c_char_p
    options = [text.encode() for text in (f"--gpu-architecture={architecture}", "--std=c++17", *OPTIONS)]
    made = ctypes.c_void_p()
    check(nvrtc.nvrtcCreateProgram(ctypes.byref(made), source.encode(), b"adamcore.cu", 0, None, None))
    try:
        if nvrtc.nvrtcCompileProgram(made, len(options), (ctypes.c_char_p * len(options))(*options)):
            log = read(nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog)
            raise RuntimeError(f"NVRTC: {log.rstrip(bytes(1)).decode()}")
        if architecture.startswith("compute"):
            return read(nvrtc.nvrtcGetPTXSize, nvrtc.nvrtcGetPTX)
        return read(nvrtc.nvrtcGetCUBINSize, nvrtc.nvrtcGetCUBIN)
    finally:
        nvrtc.nvrtcDestroyProgram(ctypes.byref(made))


def nvrtc_version(get: Callable[..., int]) -> tuple[int, int]:
    """Return NVRTC's version."""
    major, minor = ctypes.c_int(), ctypes.c_int()
    get(ctypes.byref(major), ctypes.byref(minor))
    return major.value, minor.value


def driver_version(driver: Any) -> tuple[int, int]:
    number = ctypes.c_int()
    driver.cuDriverGetVersion(ctypes.byref(number))
    return number.value // 1000, number.value % 1000 // 10


class SlowStepsWarning(RuntimeWarning):
    """A CUDA device has no kernel of ours, so its tensors are stepped by one call for each operation."""


@cache
def cuda_runtime(index: int) -> Cuda | str:
    """Return the runtime for a CUDA device, or the reason why there is none, which a warning says once.

    It is loaded when the first tensor of the device arrives.
    """
    found = libraries()
    if isinstance(found, Cuda):
        device = torch.device("cuda", index)
        if torch.cuda.get_device_capability(device) < OLDEST:
            found = "a GPU older than compute capability 7.0"
        else:
            try:  # NVRTC may be there without the parts that it loads itself
                found.kernel(fill_text("float32", SMALL), "fill", device)
            except RuntimeError as error:
                found = str(error)
    if isinstance(found, str) and torch.version.cuda is not None:
        warnings.warn(
            f"tensors on cuda:{index} are stepped without a kernel of adamcore's, and slowly: {found}",
            SlowStepsWarning,
            stacklevel=2,
        )
    return found


@cache
def libraries() -> Cuda | str:
    """Return the runtime of NVRTC and the driver, or the reason why they can't be had."""
    if torch.version.cuda is None:
        return "a PyTorch without CUDA"
    windows = hasattr(ctypes, "WinDLL")
    names = nvrtc_names(torch.version.cuda.partition(".")[0], windows)
    nvrtc = load_library([*names, *map(str, bundled(names))])
    driver = load_library(["nvcuda.dll"] if windows else ["libcuda.so.1"])
    if nvrtc is None or driver is None:
        return f"no {names[0]}" if nvrtc is None else "no driver library"
    return Cuda(nvrtc, driver)


def nvrtc_names(major: str, windows: bool) -> list[str]:
    """Return the names of NVRTC for a major version of CUDA.

    The library of CUDA 11.2 to 11.8 has the version 11.2 in its name.
    """
    version = "11.2" if major == "11" else f"{major}.0"
    if windows:
        return [f"nvrtc64_{version.replace('.', '')}_0.dll"]
    return [f"libnvrtc.so.{version.removesuffix('.0')}", "libnvrtc.so"]


def bundled(names: Sequence[str]) -> list[Path]:
    """Return where packages beside PyTorch have one of these libraries, which the loader does not search."""
    packages = Path(torch.__file__).parents[1]
    folders = [Path(torch.__file__).parent / "lib", *sorted(packages.glob("nvidia/*/lib"))]
    return [folder / name for folder in folders for name in names if (folder / name).exists()]


def load_library(names: Sequence[str]) -> Any:
    """Return the first of these libraries that can be loaded, or None."""
    for name in names:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None


def launch(kernel: Launch, blocks: int, table: array[int], *arguments: Any) -> None:
    """Launch a kernel with a table and further arguments."""
    kernel(blocks, [table.buffer_info()[0], *map(ctypes.addressof, arguments)])


#: For tests: another kind of device, and its runtime.
stand_in: tuple[str, Runtime] | None = None


def on_host(x: torch.Tensor) -> bool:
    """True if the host can read a value without waiting for a device."""
    return x.is_cpu and stand_in is None


def runtime(device: torch.device) -> Runtime | None:
    """Return the runtime for this device, or None."""
    if stand_in is not None and device.type == stand_in[0]:
        return stand_in[1]
    if device.type != "cuda":
        return None
    here = cuda_runtime(device.index)
    return None if isinstance(here, str) else here


def unsupported(device: torch.device) -> str | None:
    """Return why no kernel can be launched on this device, or None."""
    if runtime(device) is not None:
        return None
    reason = cuda_runtime(device.index) if device.type == "cuda" else None
    return reason if isinstance(reason, str) else f"a tensor on {device.type}"

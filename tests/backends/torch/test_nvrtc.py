"""NVRTC and the driver, as they are called: by stand-ins that write it down, and NVRTC where it is."""

from __future__ import annotations

import ctypes
import re
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from adamcore import Adam  # noqa: E402
from adamcore.backends.kernels import cuda, cuda_coefficients  # noqa: E402
from adamcore.backends.kernels.cuda_table import LARGE, SMALL  # noqa: E402
from adamcore.backends.torch import nvrtc as torch_cuda  # noqa: E402

DEVICE = torch.device("cuda", 1)


class Function:
    """A function of a C library."""

    def __init__(self, name: str, library: StandIn) -> None:
        self.name, self.library = name, library

    def __call__(self, *arguments: Any) -> Any:
        self.library.called.append((self.name, arguments))
        for k, value in self.library.gives.get(self.name, {}).items():
            arguments[k]._obj.value = value
        return self.library.results.get(self.name, 0)


class StandIn:
    """A C library in which every function is there, and succeeds."""

    def __init__(self, gives: dict[str, dict[int, Any]]) -> None:
        self.called: list[tuple[str, Any]] = []
        self.gives, self.results = gives, dict[str, Any]()

    def __getattr__(self, name: str) -> Function:
        function = Function(name, self)
        setattr(self, name, function)
        return function

    def names(self) -> list[str]:
        return [name for name, _ in self.called]


def libraries(driver: int = 13000) -> tuple[StandIn, StandIn]:
    nvrtc = StandIn(
        {"nvrtcVersion": {0: 13, 1: 0}, "nvrtcGetCUBINSize": {1: 4}, "nvrtcGetProgramLogSize": {1: 9}}
    )
    loaded = {"cuDevicePrimaryCtxRetain": {0: 77}, "cuModuleGetFunction": {0: 88}}
    return nvrtc, StandIn({"cuDriverGetVersion": {0: driver}, **loaded})


@pytest.fixture
def on_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: (9, 0))
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device=None: SimpleNamespace(cuda_stream=99))
    monkeypatch.setattr(torch.cuda, "device", lambda device: nullcontext())


def test_options_of_the_compiler() -> None:
    nvrtc, _ = libraries()
    assert torch_cuda.compile_source(nvrtc, "text", "sm_90") == bytes(4)
    [(_, source, *_)] = [given for name, given in nvrtc.called if name == "nvrtcCreateProgram"]
    assert source == b"text"
    [(_, count, options)] = [given for name, given in nvrtc.called if name == "nvrtcCompileProgram"]
    assert {
        b"--gpu-architecture=sm_90",
        b"--fmad=false",
        b"--prec-div=true",
        b"--prec-sqrt=true",
        b"--ftz=false",
    } <= set(options[:count])
    assert nvrtc.names()[-1] == "nvrtcDestroyProgram"


def test_a_text_that_can_not_be_compiled() -> None:
    nvrtc, _ = libraries()
    nvrtc.results["nvrtcCompileProgram"] = 6
    with pytest.raises(RuntimeError, match="NVRTC"):
        torch_cuda.compile_source(nvrtc, "text", "sm_90")
    assert nvrtc.names()[-1] == "nvrtcDestroyProgram"


def test_words_of_a_table() -> None:
    """The large one needs both, a compiler and a driver, of CUDA 12.1."""
    assert torch_cuda.Cuda(*libraries()).words == LARGE
    assert torch_cuda.Cuda(*libraries(12010)).words == LARGE
    assert torch_cuda.Cuda(*libraries(12000)).words == SMALL
    nvrtc, driver = libraries()
    nvrtc.gives["nvrtcVersion"] = {0: 11, 1: 8}
    assert torch_cuda.Cuda(nvrtc, driver).words == SMALL


def test_a_kernel_is_made_once_and_launched(on_a_device: None) -> None:
    nvrtc, driver = libraries()
    runtime = torch_cuda.Cuda(nvrtc, driver)
    launch = runtime.kernel("text", "update", DEVICE)
    assert runtime.kernel("text", "update", DEVICE) is launch
    assert nvrtc.names().count("nvrtcCompileProgram") == 1
    assert [given[1] for name, given in driver.called if name == "cuDevicePrimaryCtxRetain"] == [1]
    load = driver.names().index("cuModuleLoadData")  # in a mode in which a capture is not broken
    modes = [k for k, name in enumerate(driver.names()) if name == "cuThreadExchangeStreamCaptureMode"]
    assert modes[0] < load < modes[1]

    driver.called.clear()
    number = ctypes.c_int(5)
    launch(7, [ctypes.addressof(number), 1234])
    assert driver.names() == ["cuCtxSetCurrent", "cuLaunchKernel"]
    function, gx, gy, gz, bx, by, bz, shared, stream, pointers, extra = driver.called[1][1]
    assert (function.value, gx, gy, gz, bx, by, bz, shared, extra) == (
        88,
        7,
        1,
        1,
        cuda.THREADS,
        1,
        1,
        0,
        None,
    )
    assert stream.value == 99
    assert list(pointers) == [ctypes.addressof(number), 1234]


def test_the_mode_of_capture_is_restored_when_a_load_fails(on_a_device: None) -> None:
    nvrtc, driver = libraries()
    driver.results["cuModuleLoadData"] = 209
    with pytest.raises(RuntimeError, match="CUDA"):
        torch_cuda.Cuda(nvrtc, driver).kernel("text", "update", DEVICE)
    assert driver.names().count("cuThreadExchangeStreamCaptureMode") == 2


@pytest.mark.parametrize(
    ("version", "capability", "found", "why"),
    [
        (None, (9, 0), True, "without CUDA"),
        ("12.6", (6, 1), True, "older than"),
        ("12.6", (9, 0), False, r"no libnvrtc\.so\.12"),
    ],
)
def test_where_there_is_no_runtime(
    version: str | None, capability: tuple[int, int], found: bool, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lists of tensors then, and the reason among what is not served."""
    monkeypatch.setattr(torch.version, "cuda", version)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: capability)
    monkeypatch.setattr(torch_cuda, "load_library", lambda names: object() if found else None)
    torch_cuda.cuda_runtime.cache_clear()
    try:
        assert torch_cuda.runtime(DEVICE) is None
        reason = torch_cuda.unsupported(DEVICE)
        assert reason is not None
        assert re.search(why, reason)
    finally:
        torch_cuda.cuda_runtime.cache_clear()


def test_a_compiler_that_is_not_whole(on_a_device: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found out once, before anything is stepped."""
    nvrtc, driver = libraries()
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    monkeypatch.setattr(torch_cuda, "load_library", lambda names: nvrtc if "nvrtc" in names[0] else driver)
    for result in (7, 0):
        nvrtc.results["nvrtcCompileProgram"] = result
        torch_cuda.cuda_runtime.cache_clear()
        try:
            assert (torch_cuda.unsupported(DEVICE) is None) == (result == 0)
        finally:
            torch_cuda.cuda_runtime.cache_clear()


def test_nvrtc_itself() -> None:
    """It needs no GPU."""
    nvrtc = torch_cuda.load_library(["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"])
    if nvrtc is None:
        pytest.skip("no NVRTC")
    ticking = cuda_coefficients.ClockKernel(Adam(nesterov="dozat", weight_decay=0.1))
    words = LARGE if torch_cuda.nvrtc_version(nvrtc.nvrtcVersion) >= (12, 1) else SMALL
    for kinds in ("float32", "bfloat16", "float16"):
        text = cuda.text(ticking.program, cuda.Kinds("float32", kinds, kinds, kinds), True, words)
        assert torch_cuda.compile_source(nvrtc, text, "sm_80")[:4] == b"\x7fELF"
    for text in (ticking.text("float64", words), cuda.fill_text("float32", SMALL)):
        assert torch_cuda.compile_source(nvrtc, text, "sm_80")[:4] == b"\x7fELF"
    with pytest.raises(RuntimeError, match="undefined"):
        torch_cuda.compile_source(nvrtc, "no program", "sm_80")

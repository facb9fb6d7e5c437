"""NVRTC and the driver, as they are called: by stand-ins that write it down, and NVRTC where it is."""

from __future__ import annotations

import ctypes
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from adamcore import Adam  # noqa: E402
from adamcore.backends.kernels.cuda import kernel as cuda  # noqa: E402
from adamcore.backends.kernels.cuda.coefficients import ClockKernel  # noqa: E402
from adamcore.backends.kernels.cuda.table import LARGE, SMALL  # noqa: E402
from adamcore.backends.kernels.formats import Format, Storage  # noqa: E402
from adamcore.backends.torch import nvrtc as torch_cuda  # noqa: E402

DEVICE = torch.device("cuda", 1)


class Function:
    """A function of a C library."""

    def __init__(self, name: str, library: StandIn) -> None:
        self.name, self.library = name, library

    def __call__(self, *arguments: Any) -> Any:
        self.library.called.append((self.name, arguments))
        if self.name == "nvrtcGetSupportedArchs":
            arguments[0][:] = self.library.architectures
        for k, value in self.library.gives.get(self.name, {}).items():
            arguments[k]._obj.value = value
        return self.library.results.get(self.name, 0)


class StandIn:
    """A C library in which every function is there, and succeeds."""

    def __init__(self, gives: dict[str, dict[int, Any]]) -> None:
        self.called: list[tuple[str, Any]] = []
        self.gives, self.results = gives, dict[str, Any]()
        self.architectures = [75, 80, 87, 90, 100, 101, 120]

    def __getattr__(self, name: str) -> Function:
        function = Function(name, self)
        setattr(self, name, function)
        return function

    def names(self) -> list[str]:
        return [name for name, _ in self.called]


def libraries(driver: int = 13000) -> tuple[StandIn, StandIn]:
    nvrtc = StandIn(
        {
            "nvrtcVersion": {0: 13, 1: 0},
            "nvrtcGetCUBINSize": {1: 4},
            "nvrtcGetPTXSize": {1: 6},
            "nvrtcGetProgramLogSize": {1: 9},
            "nvrtcGetNumSupportedArchs": {0: 7},
        }
    )
    loaded = {"cuDevicePrimaryCtxRetain": {0: 77}, "cuModuleGetFunction": {0: 88}}
    return nvrtc, StandIn({"cuDriverGetVersion": {0: driver}, **loaded})


def machine(monkeypatch: pytest.MonkeyPatch, version: str | None = "13.0") -> tuple[StandIn, StandIn]:
    """Let PyTorch be one for this version of CUDA, and its libraries be there; return them."""
    nvrtc, driver = libraries()
    monkeypatch.setattr(torch.version, "cuda", version)
    monkeypatch.setattr(torch_cuda, "load_library", lambda names: nvrtc if "nvrtc" in names[0] else driver)
    return nvrtc, driver


@pytest.fixture
def guards(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is entered and left, on a machine that has a device."""
    done: list[str] = []

    @contextmanager
    def guard(device: Any) -> Iterator[None]:
        done.append(f"enter {device}")
        yield
        done.append(f"leave {device}")

    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: (9, 0))
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device=None: SimpleNamespace(cuda_stream=99))
    monkeypatch.setattr(torch.cuda, "device", guard)
    return done


@pytest.fixture
def no_runtime() -> Iterator[None]:
    """Nothing is known of the machine's libraries and devices, before and after."""
    for cached in (torch_cuda.libraries, torch_cuda.cuda_runtime):
        cached.cache_clear()
    yield
    for cached in (torch_cuda.libraries, torch_cuda.cuda_runtime):
        cached.cache_clear()


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


def test_a_kernel_is_made_once_and_launched(guards: list[str]) -> None:
    nvrtc, driver = libraries()
    runtime = torch_cuda.Cuda(nvrtc, driver)
    launch = runtime.kernel("text", "update", DEVICE)
    assert runtime.kernel("text", "update", DEVICE) is launch
    assert nvrtc.names().count("nvrtcCompileProgram") == 1
    assert [given[1] for name, given in driver.called if name == "cuDevicePrimaryCtxRetain"] == [1]
    modes = [k for k, name in enumerate(driver.names()) if name == "cuThreadExchangeStreamCaptureMode"]
    for name in ("cuDevicePrimaryCtxRetain", "cuModuleLoadData", "cuFuncGetAttribute"):
        # in a mode in which a capture is not broken; the last loads what a driver would load at the launch
        assert modes[0] < driver.names().index(name) < modes[1]

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


def test_the_mode_of_capture_is_restored_when_a_load_fails(guards: list[str]) -> None:
    nvrtc, driver = libraries()
    driver.results["cuModuleLoadData"] = 209
    with pytest.raises(RuntimeError, match="CUDA"):
        torch_cuda.Cuda(nvrtc, driver).kernel("text", "update", DEVICE)
    assert driver.names().count("cuThreadExchangeStreamCaptureMode") == 2


def test_the_current_device_stays_current(guards: list[str]) -> None:
    """A context that is made current while a kernel is loaded is another device's."""
    nvrtc, driver = libraries()
    made: list[int] = []

    def set_current(context: Any) -> int:
        made.append(len(guards))
        return 0

    vars(driver)["cuCtxSetCurrent"] = set_current
    torch_cuda.Cuda(nvrtc, driver).kernel("text", "update", DEVICE)
    assert guards == ["enter cuda:1", "leave cuda:1"]
    assert made == [1]  # between the two


@pytest.mark.parametrize(
    ("capability", "expected"),
    [
        ((9, 0), "sm_90"),
        ((8, 7), "sm_87"),
        ((8, 9), "sm_80"),
        ((10, 3), "sm_100"),
        ((12, 1), "sm_120"),
        ((11, 0), "compute_100"),
        ((13, 0), "compute_120"),
    ],
)
def test_a_gpu_newer_than_the_compiler(capability: tuple[int, int], expected: str) -> None:
    assert torch_cuda.architecture(libraries()[0], capability) == expected


def test_a_gpu_older_than_all_that_the_compiler_knows() -> None:
    with pytest.raises(RuntimeError, match=r"no architecture for a GPU of compute capability 7\.0"):
        torch_cuda.architecture(libraries()[0], (7, 0))


def test_a_virtual_architecture_gives_a_text_for_the_driver() -> None:
    nvrtc, _ = libraries()
    assert torch_cuda.compile_source(nvrtc, "text", "compute_90") == bytes(6)
    assert "nvrtcGetPTX" in nvrtc.names()
    assert "nvrtcGetCUBIN" not in nvrtc.names()


@pytest.mark.parametrize(
    ("major", "windows", "name"),
    [
        ("11", False, "libnvrtc.so.11.2"),
        ("12", False, "libnvrtc.so.12"),
        ("13", False, "libnvrtc.so.13"),
        ("11", True, "nvrtc64_112_0.dll"),
        ("12", True, "nvrtc64_120_0.dll"),
        ("13", True, "nvrtc64_130_0.dll"),
    ],
)
def test_names_of_the_compiler(major: str, windows: bool, name: str) -> None:
    assert torch_cuda.nvrtc_names(major, windows)[0] == name


def test_the_compiler_is_found_in_a_package_beside_pytorch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = tmp_path / "nvidia" / "cuda_nvrtc" / "lib" / "libnvrtc.so.12"
    library.parent.mkdir(parents=True)
    library.touch()
    monkeypatch.setattr(torch, "__file__", str(tmp_path / "torch" / "__init__.py"))
    assert torch_cuda.bundled(["libnvrtc.so.12", "libnvrtc.so"]) == [library]


@pytest.mark.parametrize(
    ("version", "capability", "found", "why"),
    [
        (None, (9, 0), True, "without CUDA"),
        ("12.6", (6, 1), True, "older than"),
        ("12.6", (9, 0), False, r"no libnvrtc\.so\.12"),
    ],
)
def test_where_there_is_no_runtime(
    version: str | None,
    capability: tuple[int, int],
    found: bool,
    why: str,
    no_runtime: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Lists of tensors then, and the reason among what is not served; said once where there is CUDA."""
    machine(monkeypatch, version)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: capability)
    if not found:
        monkeypatch.setattr(torch_cuda, "load_library", lambda names: None)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert torch_cuda.runtime(DEVICE) is None
        reason = torch_cuda.unsupported(DEVICE)
    assert reason is not None
    assert re.search(why, reason)
    assert [w.category for w in caught] == [torch_cuda.SlowStepsWarning] * (version is not None)


def test_one_device_may_have_a_runtime_and_another_none(
    guards: list[str], no_runtime: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(monkeypatch)
    capabilities = {0: (6, 0), 1: (9, 0)}
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capabilities[device.index])
    assert torch_cuda.runtime(DEVICE) is not None
    with pytest.warns(torch_cuda.SlowStepsWarning, match="cuda:0"):
        assert torch_cuda.runtime(torch.device("cuda", 0)) is None


def test_a_compiler_that_is_not_whole(
    guards: list[str], no_runtime: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found out once, before anything is stepped."""
    nvrtc, _ = machine(monkeypatch)
    nvrtc.results["nvrtcCompileProgram"] = 7
    with pytest.warns(torch_cuda.SlowStepsWarning, match="NVRTC"):
        assert torch_cuda.unsupported(DEVICE) is not None
    nvrtc.results["nvrtcCompileProgram"] = 0
    torch_cuda.cuda_runtime.cache_clear()
    assert torch_cuda.unsupported(DEVICE) is None


def test_nvrtc_itself() -> None:
    """It needs no GPU."""
    nvrtc = torch_cuda.load_library(["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"])
    if nvrtc is None:
        pytest.skip("no NVRTC")
    ticking = ClockKernel(Adam(nesterov="dozat", weight_decay=0.1))
    words = LARGE if torch_cuda.nvrtc_version(nvrtc.nvrtcVersion) >= (12, 1) else SMALL
    stored: tuple[Storage, ...] = ("float32", "bfloat16", "float16")
    for dtype in stored:
        dtypes = Format("float32", dtype, dtype, dtype, dtype)
        text = cuda.text(ticking.program, dtypes, True, words)
        assert torch_cuda.compile_source(nvrtc, text, "sm_80")[:4] == b"\x7fELF"
    for text in (ticking.text("float64", words), cuda.fill_text("float32", SMALL)):
        assert torch_cuda.compile_source(nvrtc, text, "sm_80")[:4] == b"\x7fELF"
    with pytest.raises(RuntimeError, match="undefined"):
        torch_cuda.compile_source(nvrtc, "no program", "sm_80")

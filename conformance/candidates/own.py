"""The adapter of adamcore's own backends: Adam.step on each library's arrays, under a claim."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adamcore import Adam, Clip
from adamcore.conformance.candidates.adapter.base import (
    HARD,
    CandidateInfo,
    Stepper,
    cast,
    describe,
    laid_out,
    layout_of_parameters,
    same_bits,
    same_list,
)
from adamcore.conformance.candidates.adapter.buffers import GradientBuffers, overwrite
from adamcore.conformance.candidates.adapter.runs import run_probe
from adamcore.conformance.candidates.optax import MOST_COMPILED
from adamcore.conformance.dtypes import arithmetic_of
from adamcore.conformance.errors import CandidateError, UnavailableError
from adamcore.conformance.types import FloatArray, Moments, Probe, Run, Start, Step
from adamcore.dtypes import named_by

FRAMEWORKS = ("numpy", "torch", "jax")  #: libraries whose name is a target


class Library:
    """One array library on one device: conversions from and to NumPy, and how to call a step."""

    device = "cpu"
    negative_strides = True  #: False if it cannot take NumPy's arrays that lie backwards in memory
    compiles = False  #: True if a step is compiled, which takes minutes for thousands of arrays
    flushes = False  #: True if arithmetic on the device flushes subnormal numbers to zero
    rounds_alike = True  #: False if a run that is resumed may round otherwise
    refill: Callable[[Any, FloatArray], object] | None = None  #: writes into an array, if it is mutable

    def __init__(self, module: str) -> None:
        self.xp: Any = import_library(module)

    def array(self, value: FloatArray) -> Any:
        """Return the library's array with these values."""
        return self.xp.asarray(value)

    def numpy(self, array: Any) -> FloatArray:
        """Return the values of the library's array in NumPy."""
        return np.array(array.get() if hasattr(array, "get") else array)  # CuPy's arrays have get

    def numpy_each(self, arrays: Sequence[Any]) -> list[FloatArray]:
        """Return the values of many arrays."""
        return [self.numpy(array) for array in arrays]

    def stepper(self, step: Callable[..., Any]) -> Callable[..., Any]:
        """Return what to call in place of ``step(params, grads, state, lr, present)``."""
        return step

    def elsewhere(self) -> Library:
        """Return the library with whose arrays a run is resumed."""
        return self


class Numpy(Library):
    refill = staticmethod(overwrite)

    def array(self, value: FloatArray) -> Any:
        return value  # every run has copies of a probe's arrays


class ArrayApiStrict(Library):
    """array-api-strict, with every optional part of the standard switched off."""

    def __init__(self, module: str) -> None:
        super().__init__(module)
        self.xp.set_array_api_strict_flags(
            boolean_indexing=False, data_dependent_shapes=False, enabled_extensions=()
        )

    def numpy(self, array: Any) -> FloatArray:
        return np.array(np.from_dlpack(array))


class Torch(Library):
    negative_strides = False

    def __init__(self, device: str) -> None:
        from adamcore.conformance.candidates.torch.tensors import device_name, torch_device

        super().__init__("torch")
        self.where = torch_device(device)
        self.device = device_name(self.where)

    def refill(self, array: Any, value: FloatArray) -> None:
        from adamcore.conformance.candidates.torch.tensors import from_numpy

        array.copy_(from_numpy(value))

    def array(self, value: FloatArray) -> Any:
        from adamcore.conformance.candidates.torch.tensors import as_tensor

        return as_tensor(value, self.where)

    def numpy(self, array: Any) -> FloatArray:
        from adamcore.conformance.candidates.torch.tensors import to_numpy

        return to_numpy(array)


class TorchCompiled(Torch):
    """PyTorch with a step that torch.compile has compiled."""

    compiles = True

    def stepper(self, step: Callable[..., Any]) -> Callable[..., Any]:
        from adamcore.backends.torch import compiled

        def inside(*arguments: Any) -> Any:
            with compiled():
                return step(*arguments)

        return inside


class Jax(Library):
    """JAX without jit: each operation runs by itself."""

    def __init__(self, device: str) -> None:
        from adamcore.conformance.candidates.optax import jax_device, jax_device_name

        super().__init__("jax.numpy")
        self.jax = import_library("jax")
        self.where = jax_device(device)
        self.device = jax_device_name(self.where)
        self.flushes = self.where.platform == "cpu"

    def array(self, value: FloatArray) -> Any:
        return self.jax.device_put(value, self.where, may_alias=False)


class JaxJit(Jax):
    """JAX with a step under jax.jit.

    The learning rate, the clock and masks are traced, so that the step is compiled once for each probe.
    """

    compiles = True

    def stepper(self, step: Callable[..., Any]) -> Callable[..., Any]:
        compiled: Callable[..., Any] = self.jax.jit(step)
        return compiled


class JaxNative(JaxJit):
    """JAX with a step under jax.jit that calls the CPU kernel."""

    def stepper(self, step: Callable[..., Any]) -> Callable[..., Any]:
        from adamcore.backends.jax import native

        def inside(*arguments: Any) -> Any:
            with native():
                return step(*arguments)

        return super().stepper(inside)


def import_library(module: str) -> Any:
    """Import a module.

    Raises:
        UnavailableError: it is not installed.
        CandidateError: its import raises an error.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise UnavailableError(f"{error.name} is not installed") from error
    except Exception as error:
        raise CandidateError(f"import {module}: {describe(error)}") from error


def library_for(target: str, device: str | None = None) -> Library | None:
    """Return the library of a target, or None if the target is none of adamcore's backends.

    Args:
        target: "numpy[:cpu]", "torch[:DEVICE]", "torch:compile", "jax[:DEVICE]", "jax:jit", "jax:native" or
            "array:MODULE".
        device: the device, if the target does not name one.
    """
    name, _, rest = target.partition(":")
    if name == "array" and rest:
        return ArrayApiStrict(rest) if rest == "array_api_strict" else Library(rest)
    if name == "numpy" and is_device(rest):
        if rest not in ("", "cpu"):
            raise UnavailableError(f"numpy has no device {rest!r}")
        return Numpy("numpy")
    if name == "torch" and is_device(rest):
        import_library("torch")
        return TorchCompiled(device or "cpu") if rest == "compile" else Torch(rest or device or "cpu")
    if name == "jax" and is_device(rest):
        import_library("jax")
        under = {"jit": JaxJit, "native": JaxNative}.get(rest)
        return under(device or "cpu") if under else Jax(rest or device or "cpu")
    return None


def is_device(text: str) -> bool:
    """True if the text after the colon of a framework's name is a device or a mode, not a class."""
    here = ("", "cpu", "cuda", "gpu", "tpu", "mps", "xpu", "rocm", "jit", "native", "compile")
    return text.partition(":")[0] in here


class OwnCandidate:
    """Runs one backend under one claim."""

    def __init__(self, library: Library, claim: Adam) -> None:
        self.library, self.claim = library, claim

    @property
    def info(self) -> CandidateInfo:
        library = self.library
        return CandidateInfo(
            "own backend",
            flushes=library.flushes,
            device=library.device,
            rounds_alike=library.rounds_alike,
        )

    def run(self, probe: Probe, dtype: str) -> Run:
        hyper: dict[str, Any] = {"lr_max": 0.0, **probe.hyper}  # 0: the probe's lr, not that of the claim
        if probe.groups or probe.manner in HARD:
            return Run(unsupported="a step of arrays has neither groups nor a closure")
        if self.library.compiles and len(probe.params) > MOST_COMPILED:
            return Run(unsupported=f"compiling a step of {len(probe.params)} arrays takes minutes")
        if probe.layout == "reversed" and not self.library.negative_strides:
            return Run(unsupported="torch has no negative strides")
        try:
            adam = dataclasses.replace(self.claim, **hyper)
            return run_probe(lambda variant: OwnStepper(self.library, adam, variant, dtype), probe)
        except Exception as error:
            return Run(error=describe(error))


class OwnStepper(Stepper):
    def __init__(self, library: Library, adam: Adam, probe: Probe, dtype: str) -> None:
        self.library, self.dtype, self.lr = library, dtype, adam.lr
        self.adam, self.probe = adam, probe
        self.params = [library.array(p) for p in self.cast(probe.params, layout_of_parameters(probe))]
        self.state = adam.init(self.params)
        self.gradients = GradientBuffers(
            probe,
            lambda g: library.array(laid_out(g, probe.layout)),
            library.refill,
            read_each=library.numpy_each,
        )

        self.call = self.stepper()

    def stepper(self) -> Callable[..., Any]:
        """Return the step of the Adam that there is now."""
        adam, clipping = self.adam, self.probe.clip
        clip = None if clipping is None else Clip(**{clipping.way: clipping.most}, eps=clipping.eps)

        def step(
            params: Any,
            grads: Any,
            state: Any,
            lr: Any,
            present: Any,
            scale: Any = None,
            overflow: Any = None,
        ) -> Any:
            return adam.step(
                params, grads, state, lr=lr, present=present, grad_scale=scale, found_inf=overflow, clip=clip
            )

        return self.library.stepper(step)

    def begin(self, start: Sequence[Start]) -> None:
        def given(name: str) -> list[Any]:
            field = "m_dtype" if name == "m" else "v_dtype"
            dtype = named_by(self.adam, field)[1] or self.dtype
            return [self.library.array(cast(getattr(s, name), dtype)) for s in start]

        t = [self.library.array(np.array(s.t, dtype=np.int32)) for s in start]
        self.state = self.state._replace(
            t=t if self.adam.clock == "per-parameter" else t[0],
            m=given("m"),
            v=given("v"),
            v_max=None if self.state.v_max is None else given("v_max"),
        )

    def resumed(self) -> Stepper:
        library = self.library.elsewhere()
        again = OwnStepper(library, self.adam, self.probe, self.dtype)

        def saved(x: Any) -> Any:
            if x is None or isinstance(x, (int, float)):
                return x
            return [saved(y) for y in x] if isinstance(x, list) else library.array(self.library.numpy(x))

        again.params, again.lr = saved(self.params), self.lr
        again.call = self.call if library is self.library else again.call
        again.state = type(self.state)(*(saved(part) for part in self.state))
        return again

    def place(self, params: Sequence[FloatArray]) -> None:
        self.params = [self.library.array(p) for p in params]

    def clocks(self) -> list[int] | None:
        t = self.state.t
        read = [int(x) for x in self.library.numpy_each(t if isinstance(t, list) else [t])]
        return read if isinstance(t, list) else read * len(self.params)

    def rests(self) -> list[FloatArray | None] | None:
        if self.state.p_rest is None:
            return None
        return [None if x is None else self.library.numpy(x) for x in self.state.p_rest]

    def moments(self) -> list[Moments | None] | None:
        kept = [self.state.m, self.state.v, self.state.v_max or [None] * len(self.params)]
        return [Moments(*parts).each(self.library.numpy) for parts in zip(*kept, strict=True)]

    def step(self, index: int, step: Step) -> tuple[list[FloatArray], list[str]]:
        library = self.library
        self.lr = self.lr if step.lr is None else step.lr
        if step.changes:
            self.adam = dataclasses.replace(self.adam, **step.changes)
            self.call = self.stepper()
        before = library.numpy_each(self.params)
        grads = self.gradients.fill(self.cast(step.grads))
        handed = list(grads)
        present = None
        if step.present is not None:
            present = [f if isinstance(f, bool) else library.array(np.array(f)) for f in step.present]
        scaled: list[Any] = []
        if self.probe.is_scaled:
            scale = (
                None
                if step.scale is None
                else library.array(np.array(step.scale, dtype=arithmetic_of(self.dtype)))
            )
            scaled = [scale, library.array(np.array(step.found_inf))]
        params, self.state = self.call(self.params, handed, self.state, self.lr, present, *scaled)
        written = [
            f"parameter {i} in step {index}"
            for i, (p, old) in enumerate(zip(library.numpy_each(self.params), before, strict=True))
            if not same_bits(p, old)
        ]
        written += self.gradients.written(index)
        if not same_list(handed, grads):
            written.append(f"the list of gradients in step {index}")
        self.params = params
        return library.numpy_each(params), written

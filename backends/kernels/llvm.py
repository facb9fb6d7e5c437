"""The compiler: a text in LLVM's language becomes machine code of this processor.

It is llvmlite (in the extras numpy, torch and jax), which needs no compiler on the machine.  The kernel of a
choice of axes takes it some 30 ms, with moments in 8 bits some 110.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from itertools import count
from typing import Any

FELT = 1 << 16  #: elements from which a step without machine code is felt

_off = False
_warned = False

#: A smallest function with the opaque pointers that LLVM has had since version 15.
TRIAL = """
define float @trial(ptr %p) {
  %x = load float, ptr %p
  ret float %x
}
"""


class MachineCodeWarning(UserWarning):
    """llvmlite is missing or cannot compile, so steps are made without machine code."""


def available() -> bool:
    """True if llvmlite is installed, compiles, and is not switched off.

    If llvmlite is installed and cannot compile, a :class:`MachineCodeWarning` says so once (0.44 and older
    do not know opaque pointers).  The bits of a step are the same without machine code.
    """
    if _off or not _installed():
        return False
    reason = _failure()
    if reason is not None:
        _warn_once(
            f"llvmlite cannot compile here ({reason}); install llvmlite 0.45 or newer, or uninstall it"
        )
    return reason is None


def warn_if_missing(elements: int) -> None:
    """Say once that llvmlite is not installed, at the first step of so many elements that it is felt."""
    if elements >= FELT and not _off and not _installed():
        _warn_once("llvmlite is not installed, and several times as slowly; pip install llvmlite")


def _warn_once(reason: str) -> None:
    global _warned
    if not _warned:
        _warned = True
        warnings.warn(f"steps are made without machine code: {reason}", MachineCodeWarning, stacklevel=3)


@cache
def _installed() -> bool:
    return find_spec("llvmlite") is not None


@cache
def _failure() -> str | None:
    """Return why llvmlite cannot compile, or None."""
    try:
        import llvmlite.binding as llvm

        _compiler()
        llvm.parse_assembly(TRIAL).verify()
    except Exception as error:  # no library for this processor, or a text that it does not read
        return " ".join(f"{type(error).__name__}: {error}".split())
    return None


@contextmanager
def switched_off() -> Iterator[None]:
    """Make steps without machine code inside this context, as if llvmlite were not installed."""
    global _off
    before, _off = _off, True
    try:
        yield
    finally:
        _off = before


def link(source: str, name: str) -> tuple[int, Any]:
    """Compile a module of LLVM's language; return the address of a function in it.

    The second result must live as long as the function is used.
    """
    import llvmlite.binding as llvm

    jit, options = _compiler()
    module = llvm.parse_assembly(source)
    module.verify()
    passes = llvm.create_pass_builder(options, llvm.create_pipeline_tuning_options(speed_level=3))
    passes.getModulePassManager().run(module, passes)
    builder = llvm.JITLibraryBuilder().add_ir(str(module)).add_current_process().export_symbol(name)
    library = builder.link(jit, f"adamcore{next(_numbers)}")
    return library[name], library


def function(kind: Any, source: str, name: str) -> Any:
    """Compile a module of LLVM's language; return a function in it, of a kind that ctypes calls."""
    at, library = link(source, name)
    made = kind(at)
    made.library = library  # it lives as long as the function
    return made


_numbers = count()  # a number for the name of each library


@cache
def _compiler() -> tuple[Any, Any]:
    """Return the compiler for this processor."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()

    def target() -> Any:
        return llvm.Target.from_default_triple().create_target_machine(
            cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3, jit=True
        )

    return llvm.create_lljit_compiler(target()), target()


@cache
def native_half() -> bool:
    """True if this processor converts float16; else LLVM would call a function that may not be there."""
    import llvmlite.binding as llvm

    if llvm.get_process_triple().startswith(("aarch64", "arm64")):
        return True
    return bool(llvm.get_host_cpu_features().get("f16c", False))


@cache
def native_bfloat16() -> bool:
    """True if this processor rounds two vectors of 16 float32 numbers to one of 32 bfloat16 numbers."""
    import llvmlite.binding as llvm

    return bool(llvm.get_host_cpu_features().get("avx512bf16", False))


@cache
def native_tables() -> bool:
    """True if this processor looks 64 bytes up in a table of 128 by one instruction."""
    import llvmlite.binding as llvm

    return bool(llvm.get_host_cpu_features().get("avx512vbmi", False))

"""A function as a kernel: what its author says of it, and whose arrays it may take."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from adamcore.conformance.candidates.calls import STATE
from adamcore.conformance.candidates.own import Library, library_for
from adamcore.conformance.errors import SettingError
from adamcore.conformance.settings import DTYPES, NARROW

LIBRARIES = ("torch", "jax", "numpy")
ROOTS = {"torch": "torch", "triton": "torch", "jax": "jax", "numpy": "numpy"}
"""Whose arrays are taken by code that names a package."""


@dataclass(frozen=True)
class Kernel:
    """A function with what its signature cannot tell of it.  Made by :func:`adamcore.conformance.kernel`."""

    function: Callable[..., Any]
    signature: str | None = None  #: its arguments, where Python cannot read them
    dialect: str | None = None  #: its claim
    arrays: str | None = None  #: whose arrays it takes: "numpy", "torch" or "jax"
    device: str | None = None  #: the device of these arrays
    returns: tuple[str, ...] | None = None  #: what the arrays are that it returns
    dtypes: tuple[str, ...] = DTYPES  #: those that it takes
    strided: bool = False  #: True if it takes arrays that are not contiguous
    flushes_subnormals: bool = False  #: True if it flushes subnormal numbers to zero

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function."""
        return self.function(*args, **kwargs)


def make_kernel(function: Callable[..., Any], **options: Any) -> Kernel:
    """Return :func:`adamcore.conformance.kernel`'s kernel.

    Raises:
        SettingError: an option has no meaning.
    """
    if isinstance(function, Kernel):
        function = function.function
    if not callable(function):
        raise SettingError(f"kernel({function!r}): expected a function")
    for name, known in (("arrays", LIBRARIES), ("dtypes", (*DTYPES, *NARROW))):
        given = options.get(name)
        values = [given] if isinstance(given, str) else given or ()
        if unknown := [value for value in values if value not in known]:
            raise SettingError(f"kernel({name}={given!r}): {unknown[0]!r} is none of {', '.join(known)}")
    if isinstance(options.get("dtypes"), str):
        options["dtypes"] = (options["dtypes"],)
    if isinstance(options.get("returns"), str):
        options["returns"] = tuple(name.strip() for name in options["returns"].split(","))
    if unknown := [name for name in options.get("returns") or () if name not in (*STATE, "t")]:
        raise SettingError(f"kernel(returns=...): {unknown[0]!r} is none of {', '.join((*STATE, 't'))}")
    return Kernel(function, **options)


def libraries_of(kernel: Kernel, device: str | None) -> list[Library]:
    """Return the libraries whose arrays a kernel may take, the likeliest first.

    They are those that its code names, then those that its module has imported, then those that are loaded.
    """
    names, roots = [kernel.arrays], []
    if kernel.arrays is None:
        roots = roots_of(kernel.function)
        loaded = [name for name in LIBRARIES if name in sys.modules]
        names = list(dict.fromkeys([*(ROOTS[root] for root in roots), *loaded, "numpy"]))
    device = kernel.device or device
    if device is None and "triton" in roots:
        import torch

        device = "cuda" if torch.cuda.is_available() else None
    found = (library_for(name, device) for name in names if name is not None)
    return [library for library in found if library is not None]


def roots_of(function: Any) -> list[str]:
    """Return the packages that a function's code names, and then those of its module's other names."""
    inner = inspect.unwrap(function)
    while isinstance(inner, functools.partial):
        inner = inspect.unwrap(inner.func)
    if isinstance(inner, Kernel):
        inner = inspect.unwrap(inner.function)
    outer = type(function).__module__.partition(".")[0]  # of a builtin, an operator, a compiled function
    scope: Mapping[str, Any] = getattr(inner, "__globals__", {})
    code = getattr(inner, "__code__", None)
    named = [scope[name] for name in getattr(code, "co_names", ()) if name in scope]
    own = (getattr(function, "__module__", None) or "").partition(".")[0]
    tops = ["jax" if outer == "jaxlib" else outer, own]
    tops += [root_of(value) for value in (*named, *scope.values())]
    return list(dict.fromkeys(top for top in tops if top in ROOTS))


def root_of(value: Any) -> str:
    """Return the package of a module or of another object."""
    name = value.__name__ if inspect.ismodule(value) else getattr(value, "__module__", None)
    return name.partition(".")[0] if isinstance(name, str) else ""

"""From a target to its candidate: import what the user named and choose the adapter."""

from __future__ import annotations

import ast
import difflib
import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from adamcore import Adam
from adamcore.config import HYPERPARAMETERS
from adamcore.conformance.candidates.adapter.arguments import (
    REQUIRED,
    class_of,
    partial_options,
    signature_of,
)
from adamcore.conformance.candidates.adapter.base import Candidate, describe
from adamcore.conformance.candidates.keras import choose_backend
from adamcore.conformance.candidates.kernel import KernelCandidate
from adamcore.conformance.candidates.kernel_options import Kernel
from adamcore.conformance.candidates.own import OwnCandidate, library_for
from adamcore.conformance.candidates.signatures import role_of
from adamcore.conformance.errors import CandidateError, SettingError, UnavailableError
from adamcore.conformance.settings import TIMEOUT

COMMAND = "cmd:"  #: the beginning of a target that is a command
KERNEL = "kernel:"  #: the beginning of a target that is a kernel: a function of a step


def is_own_backend(target: str) -> bool:
    """True if the target is one of adamcore's backends."""
    from adamcore.conformance.candidates.own import FRAMEWORKS, is_device

    name, _, rest = target.partition(":")
    if name == "array":
        return bool(rest)
    return name in FRAMEWORKS and is_device(rest)


def load_candidates(
    target: str,
    claims: list[Adam | None],
    settings: Mapping[str, str],
    device: str | None,
    timeout: float = TIMEOUT,
    required: Sequence[str] = REQUIRED,
    joining: Callable[[], object] | None = None,
) -> list[Candidate]:
    """Return one candidate of the target for each claim; only adamcore's backends use the claim.

    Args:
        target: what the user named.
        claims: the claims, or None for each candidate that makes its own.
        settings: the values of ``--set``.
        device: the device, if the target does not name one.
        timeout: seconds that a command has for a probe.
        required: hyperparameters that a constructor has to have an argument for.
        joining: called where the target is one of JAX, when it has been imported and nothing has been asked
            of JAX yet.

    Raises:
        UnavailableError: the library or the device is not available.
        CandidateError: the target cannot be imported, or it is of no known kind.
    """
    if is_own_backend(target):
        if settings:
            raise SettingError(f"--set has no meaning for {target}, which is one of our own backends")
        if joining is not None and target.partition(":")[0] == "jax":
            joining()
        own = library_for(target, device)
        assert own is not None
        return [OwnCandidate(own, claim or Adam()) for claim in claims]
    if target.startswith(COMMAND):
        from adamcore.conformance.candidates.command import CommandCandidate

        command: Candidate = CommandCandidate(target.removeprefix(COMMAND), settings, timeout)
        return [command] * len(claims)
    found = import_target(target.removeprefix(KERNEL))
    if joining is not None and not inspect.isclass(found) and not target.startswith(KERNEL):
        joining()
    return [make_candidate(target, found, settings, device, required)] * len(claims)


def make_candidate(
    target: str,
    found: Any,
    settings: Mapping[str, str],
    device: str | None,
    required: Sequence[str] = REQUIRED,
) -> Candidate:
    """Return the candidate for the object ``found`` that a target names.

    Raises:
        CandidateError: the object is of no known kind.
        UnavailableError: a library that it needs is not installed.
    """
    if not callable(found):
        kind, hint = type(found).__name__, made_already(found)
        raise CandidateError(f"{target} is {kind}, expected a class, a factory or a kernel{hint}")
    if target.startswith(KERNEL) or isinstance(found, Kernel):
        return KernelCandidate(found, settings, device, required)
    settings = {**constants(target), **partial_options(found), **settings}
    if makes_torch_optimizer(found):
        from adamcore.conformance.candidates.torch.candidate import TorchCandidate

        return TorchCandidate(found, settings, known_names(target), device, required)
    if is_subclass_of(class_of(found), "keras.optimizers", "Optimizer"):
        from adamcore.conformance.candidates.keras import KerasCandidate

        return KerasCandidate(found, settings, known_names(target), required)
    if inspect.isclass(found) and hasattr(found, "init") and hasattr(found, "step"):
        from adamcore.conformance.candidates.array import ArrayCandidate

        return ArrayCandidate(found, settings)
    if inspect.isclass(found):
        raise CandidateError(
            f"{target} is a class, but neither a torch or Keras optimizer nor an array candidate "
            "(which has init(params, hyper) and step(grads))"
        )
    if {"p", "g"} <= {role_of(parameter.name) for parameter in signature_of(found)}:
        raise CandidateError(
            f"{target} takes parameters and gradients: "
            f"if it is a function of one step, name it {KERNEL}{target}"
        )
    from adamcore.conformance.candidates.optax import OptaxCandidate

    for needed in ("jax", "optax"):
        if importlib.util.find_spec(needed) is None:
            raise UnavailableError(f"{needed} is not installed, which a factory like {target} needs")
    return OptaxCandidate(found, settings, known_names(target), device, required)


def made_already(found: Any) -> str:
    """Return what to name instead of an optimizer that is made already; "" if it is none."""
    if hasattr(found, "init") and hasattr(found, "update"):
        return ": name the function that makes it, whose arguments are the learning rate, b1, b2 and eps"
    makes_steps = hasattr(found, "step") or hasattr(found, "apply_gradients")
    return f": name its class, {type(found).__qualname__}" if makes_steps else ""


def is_subclass_of(found: Any, module: str, name: str) -> bool:
    """True if ``found`` is a subclass of ``module.name``; a module that is not loaded has no subclasses."""
    base = getattr(sys.modules.get(module), name, None)
    return inspect.isclass(found) and base is not None and issubclass(found, base)


def makes_torch_optimizer(found: Any) -> bool:
    """True for a class of PyTorch's optimizers, a partial of one, or a function of params that makes one."""
    made = class_of(found)
    if inspect.isclass(made):
        return is_subclass_of(made, "torch.optim", "Optimizer")
    roles = [role_of(parameter.name) for parameter in signature_of(found)]
    return "torch.optim" in sys.modules and roles[:1] == ["p"] and "g" not in roles


def known_names(target: str) -> Mapping[str, str] | None:
    """Return the target's argument names in the table of dialects, or None if it has no row."""
    from adamcore.dialects import for_target

    row = for_target(target)
    return None if row is None else row.hyper


def constants(target: str) -> dict[str, str]:
    """Return the hyperparameters that are constants in the code of a target, by the table of dialects.

    They are given as ``--set`` would give them.

    >>> constants("keras.optimizers:Nadam")
    {'momentum_decay': '1.0'}
    """
    from adamcore.dialects import for_target

    row = for_target(target)
    if row is None:
        return {}
    own = row.defaults.keys() & set(HYPERPARAMETERS) - row.hyper.keys()
    return {name: repr(row.defaults[name]) for name in own}


def import_target(target: str) -> Any:
    """Return the object that ``module:attr`` or ``path/file.py:attr`` names.

    Raises:
        UnavailableError: the module, the file or the attribute does not exist.
        CandidateError: the text has another form, or the import raises an error.
    """
    choose_backend()  # before the target imports Keras
    where, colon, attr = target.rpartition(":")
    if not colon or not where or not attr:
        raise CandidateError(
            f"{target!r} is no target: expected module:attr, path/file.py:attr or kernel:module:function"
        )
    if where.endswith(".py"):
        module = load_file(Path(where))
    elif os.path.isfile(where) or not all(part.isidentifier() for part in where.split(".")):
        raise UnavailableError(f"{where} is no .py file, nor the name of a module")
    else:
        module = import_named(where)
    found = module
    for part in attr.split("."):
        try:
            found = getattr(found, part)
        except AttributeError as error:
            near = difflib.get_close_matches(part, [n for n in dir(found) if n[0] != "_"], n=3)
            hint = f"; nearest: {', '.join(near)}" if near else ""
            raise UnavailableError(f"{where} has no {attr!r}{hint}") from error
    return found


def import_named(where: str) -> Any:
    """Import a module, or an attribute of one that is written like a module, such as ``torch.ops.aten``."""
    try:
        return importlib.import_module(where)
    except ModuleNotFoundError as error:
        if not (error.name and (where == error.name or where.startswith(error.name + "."))):
            raise import_error(where, error) from error
        above, _, name = error.name.rpartition(".")
        holder = sys.modules.get(above)
        if holder is None or where != error.name or not hasattr(holder, name):
            raise UnavailableError(f"{error.name} is not installed") from error
        return getattr(holder, name)
    except (Exception, SystemExit) as error:
        raise import_error(where, error) from error


def import_error(where: str | Path, error: BaseException) -> CandidateError:
    """Return what an error at an import says of the candidate."""
    if isinstance(error, SystemExit):
        return CandidateError(
            f"import {where}: it ends the program, with status {error.code or 0}; what it does as a script "
            'belongs under if __name__ == "__main__":'
        )
    hint = ""
    if "relative import" in str(error):
        hint = "; from the folder that holds its package, name it package.module:attr"
    return CandidateError(f"import {where}: {describe(error)}{hint}")


def package_of(path: Path) -> tuple[Path, str] | None:
    """Return the folder that holds a file's package, and the file's name as its module.

    None is returned for a file that imports nothing relative to itself, which is imported alone, and where
    there is no ``__init__.py`` beside it.
    """
    folder, names = path.resolve().parent, [path.stem]
    if not (folder / "__init__.py").is_file() or not has_relative_imports(path):
        return None
    while (folder / "__init__.py").is_file():
        names.insert(0, folder.name)
        folder = folder.parent
    return folder, ".".join(name for name in names if name != "__init__")


def has_relative_imports(path: Path) -> bool:
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return False
    return any(isinstance(node, ast.ImportFrom) and node.level > 0 for node in ast.walk(tree))


def load_file(path: Path) -> Any:
    """Import a file by its path; its folder becomes importable (:func:`make_importable`).

    A file that imports from the package that it is in is imported as a module of that package.
    """
    if not os.path.isfile(path):
        raise UnavailableError(f"there is no file {path}")
    if package := package_of(path):
        make_importable(package[0])
        return import_named(package[1])
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    make_importable(path.resolve().parent)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise import_error(path, error) from error
    return module


def make_importable(folder: Path) -> None:
    """Put a folder on the path, before installed packages and after the standard library.

    A file there that is called like a module of the standard library, such as ``random.py``, takes the place
    of none.
    """
    standard = os.path.dirname(os.__file__)
    places = [standard, os.path.join(standard, "lib-dynload")]
    after = max((k for k, entry in enumerate(sys.path, 1) if entry in places), default=0)
    sys.path.insert(after, str(folder))

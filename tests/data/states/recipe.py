"""What all makers of this folder share: the run whose state they save, and the manifest that they write.

A maker runs in an environment that has its framework and NumPy and nothing of this project, so that what the
manifest expects is the framework's word.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Arrays = dict[str, npt.NDArray[Any]]

HERE = Path(__file__).resolve().parent
SHAPES = {"dense.kernel": (3, 2), "dense.bias": (2,)}
LR, B1, B2, EPS, DECAY = 0.05, 0.8, 0.9, 1e-3, 0.1
STEPS = 3  #: steps before the state is saved; the gradients of one more are in the manifest as "next"


def params() -> Arrays:
    """Return the parameters before the first step, in float32."""
    return {name: filled(shape, 0.7, k) for k, (name, shape) in enumerate(SHAPES.items())}


def grads(step: int) -> Arrays:
    """Return the gradients of a step, which is counted from 0."""
    return {name: filled(shape, 1.3 + step, k) for k, (name, shape) in enumerate(SHAPES.items())}


def filled(shape: tuple[int, ...], pace: float, start: int) -> npt.NDArray[Any]:
    """Return numbers between -1 and 1."""
    numbers = np.arange(np.prod(shape), dtype=np.float64)
    return np.cos(pace * (numbers + 1) + start).astype(np.float32).reshape(shape)


def versions(*packages: str) -> dict[str, str]:
    """Return the versions of packages."""
    return {package: version(package) for package in packages}


class Manifest:
    """The files of one framework, with what is to be read from each.

    Args:
        folder: the folder in files/ in which the files lie.
        package: the package that made them, whose version is written down.
        needs: modules without which the files cannot be read.
    """

    def __init__(self, folder: str, package: str, needs: tuple[str, ...] = ()) -> None:
        self.folder = HERE / "files" / folder  # apart from here, where it would hide the package of its name
        self.folder.mkdir(exist_ok=True)
        self.head: dict[str, Any] = {"package": package, "version": version(package), "needs": list(needs)}
        self.entries: list[dict[str, Any]] = []

    def add(
        self,
        file: str,
        leaves: Mapping[str, Mapping[str, Any]] | None = None,
        *,
        read: Mapping[str, Any] | None = None,
        dialect: str | None = None,
        adam: Mapping[str, Any] | None = None,
        special: Mapping[str, Mapping[str, Any]] | None = None,
        dtypes: Mapping[str, str] | None = None,
        following: Mapping[str, Arrays] | None = None,
        warns: str | None = None,
        refused: str | None = None,
    ) -> None:
        """Add an entry.

        Args:
            file: the file's path in the folder.
            leaves: by the parameter's name, "t", "m", "v", and "v_max" if there is one, as the framework
                itself gives them.
            read: further arguments for :func:`adamcore.backends.states.foreign.read`.
            dialect: the dialect that the file has to give.
            adam: the hyperparameters and axes that the file has to give, or the arguments have.
            special: by the parameter's name, those in which it differs.
            dtypes: the dtypes of "m", "v" and "v_max", of those that are not float32.
            following: "params", "grads" and "after" of the framework's next step.
            warns: words of the warning that has to come.
            refused: words of the error, if the file is to be refused.
        """
        entry: dict[str, Any] = {"file": file, "read": dict(read or {})}
        optional = {"dialect": dialect, "adam": adam, "special": special}
        optional |= {"dtypes": dtypes, "warns": warns, "refused": refused}
        entry |= {key: x for key, x in optional.items() if x is not None}
        if leaves is not None:
            entry["leaves"] = {name: as_json(leaf) for name, leaf in leaves.items()}
        if following is not None:
            entry["next"] = {key: as_json(x) for key, x in following.items()}
        self.entries.append(entry)

    def write(self) -> None:
        """Write ``manifest.json`` into the folder, one part of an entry a line."""
        entries = [
            "  {\n" + ",\n".join(f"   {json.dumps(k)}: {json.dumps(x)}" for k, x in entry.items()) + "\n  }"
            for entry in self.entries
        ]
        head = "".join(f" {json.dumps(k)}: {json.dumps(x)},\n" for k, x in self.head.items())
        text = "{\n" + head + ' "entries": [\n' + ",\n".join(entries) + "\n ]\n}\n"
        (self.folder / "manifest.json").write_text(text, encoding="utf-8")


def numbers_of(x: Any) -> npt.NDArray[Any]:
    """Return an array, or a variable of TensorFlow's or Keras', in NumPy."""
    return np.asarray(x.numpy() if hasattr(x, "numpy") else x)


def as_json(parts: Mapping[str, Any]) -> dict[str, Any]:
    """Return arrays as nested lists of numbers, and clocks as they are."""
    return {
        key: int(x) if key == "t" else numbers_of(x).astype(np.float64).tolist()
        for key, x in parts.items()
        if x is not None
    }

"""Machine code that can't be had: no step fails for it, and a warning says so once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

STEPS = """
import numpy as np
from adamcore import Adam
adam, p = Adam(lr=0.1), np.linspace(-1, 1, 1001, dtype="float32")
state = adam.init(p)
for _ in range(3):
    p, state = adam.step(p, p * 3, state)
print(p.tobytes().hex())
"""
BINDINGS = {
    "not for this platform": "raise OSError('libllvmlite.so: wrong ELF class')",
    "old": """
class Anything:
    def __getattr__(self, name):
        return lambda *given, **named: Anything()
__getattr__ = Anything().__getattr__
def parse_assembly(text):
    raise RuntimeError("LLVM IR parsing error: expected type")
""",
}


MISSING = """
import sys
sys.modules["llvmlite"] = None
import numpy as np
from adamcore import Adam
for size in (1000, 1 << 16, 1 << 16):
    p = np.zeros(size)
    Adam().step(p, p, Adam().init(p))
    print(size)
"""


def test_large_steps_without_llvmlite_say_once_that_it_is_missing() -> None:
    run = subprocess.run(
        [sys.executable, "-uc", MISSING], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    first, warning, *rest = run.stdout.splitlines()
    assert first == "1000"
    assert "MachineCodeWarning" in warning
    assert "pip install llvmlite" in warning
    assert not any("MachineCodeWarning" in line for line in rest)
    assert run.returncode == 0
    assert rest[-1] == str(1 << 16)


def steps(folder: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(folder)}
    return subprocess.run([sys.executable, "-c", STEPS], env=environment, text=True, capture_output=True)


@pytest.mark.parametrize("binding", BINDINGS)
def test_without_machine_code_the_bits_are_the_same(binding: str, tmp_path: Path) -> None:
    (tmp_path / "llvmlite").mkdir()
    (tmp_path / "llvmlite" / "__init__.py").write_text("")
    (tmp_path / "llvmlite" / "binding.py").write_text(BINDINGS[binding])
    done = steps(tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == steps(tmp_path / "none").stdout
    assert done.stderr.count("MachineCodeWarning: steps are made without machine code") == 1

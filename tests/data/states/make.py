"""Make the files of a framework anew: ``python tests/data/states/make.py mlx``.

Each framework is installed in an environment of its own, in a temporary folder, at the versions below.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGES = {
    "deepspeed": ["deepspeed==0.19.8", "torch==2.13.0", "numpy==2.4.6"],
    "flax": ["flax==0.12.8", "jax==0.10.2", "optax==0.2.8", "orbax-checkpoint==0.12.8"],
    "tensorflow": ["tensorflow-cpu==2.21.0", "keras==3.15.1", "tf-keras==2.21.0"],
    "paddle": ["paddlepaddle==3.3.1"],
    "tinygrad": ["tinygrad==0.14.0", "numpy==2.4.6"],
    "mlx": ["mlx[cpu]==0.32.4", "numpy==2.5.1"],
    "quantized": ["bitsandbytes==0.50.2", "torchao==0.18.0", "torch==2.13.0", "numpy==2.4.6"],
    "torch": ["torch==2.13.0", "numpy==2.4.6", "safetensors==0.8.0"],
}  #: by framework, what its maker needs; the maker is make_FRAMEWORK.py


def make(framework: str) -> None:
    """Install a framework and run its maker."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = Path(folder) / "bin" / "python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES[framework]], check=True)
        subprocess.run([python, Path(__file__).with_name(f"make_{framework}.py")], check=True)


if __name__ == "__main__":
    if not sys.argv[1:] or not set(sys.argv[1:]) <= set(PACKAGES):
        sys.exit(f"usage: make.py FRAMEWORK ..., of {', '.join(PACKAGES)}")
    for each in sys.argv[1:]:
        make(each)

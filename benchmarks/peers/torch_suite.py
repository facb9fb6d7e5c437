"""PyTorch's tests of ``torch.optim``, those of its compiled optimizers among them.

The tests come with the release; the database of optimizers, inputs and errors with which most of them
work (``torch.testing._internal.common_optimizers``) comes with the installed package.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import ModuleType

from suite import Suite


def prepare() -> None:
    """Let an older release's tests import what the installed one no longer has, and what no Adam needs."""
    from torch.testing._internal import triton_utils

    if not hasattr(triton_utils, "requires_cuda"):
        vars(triton_utils)["requires_cuda"] = triton_utils.requires_cuda_and_triton
    stub = ModuleType("test_torchinductor")  # asked for only if the release's own can't be imported
    vars(stub).update(check_model=None, check_model_gpu=None)
    sys.modules[stub.__name__] = stub


def replace() -> Mapping[object, object]:
    """Put our ``Adam`` and ``AdamW`` into ``torch.optim``, from which PyTorch's tests import them."""
    import torch

    from adamcore.backends.torch import Adam, AdamW

    replaced: dict[object, object] = {torch.optim.Adam: Adam, torch.optim.AdamW: AdamW}
    vars(torch.optim).update(Adam=Adam, AdamW=AdamW)
    from torch.testing._internal.common_optimizers import optim_db

    assert {info.optim_cls for info in optim_db} > set(replaced.values())
    return replaced


SUITE = Suite(
    library="torch",
    repository="https://github.com/pytorch/pytorch",
    tag="v{version}",
    folders=("test/optim", "test/dynamo", "test/inductor"),
    directory="test",
    arguments=(
        "--noconftest",
        "test_optim.py",
        "dynamo/test_optimizers.py",
        "inductor/test_compiled_optimizers.py",
        "-k",
        "_adam_ or _adamw_ or test_adam or Differentiable or TestLRScheduler or TestSWA or End2End",
    ),
    packages=("torch", "numpy", "expecttest"),
    replace=replace,
    prepare=prepare,
)

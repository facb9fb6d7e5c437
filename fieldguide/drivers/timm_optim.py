"""Optimizers of timm without the rest of timm, whose models need a torchvision that fits PyTorch's build."""

import importlib.util
import sys
import types

if "timm" not in sys.modules:
    root = importlib.util.find_spec("timm").submodule_search_locations[0]
    for name, folder in (("timm", root), ("timm.optim", f"{root}/optim")):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = [folder]

from timm.optim.adabelief import AdaBelief  # noqa: F401
from timm.optim.adamw import AdamWLegacy  # noqa: F401
from timm.optim.adan import Adan  # noqa: F401
from timm.optim.adopt import Adopt  # noqa: F401
from timm.optim.lamb import Lamb  # noqa: F401
from timm.optim.nadamw import NAdamW  # noqa: F401

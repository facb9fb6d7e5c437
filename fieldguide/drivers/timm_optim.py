"""Optimizers of timm without the rest of timm, whose models need a torchvision that fits PyTorch's build."""

import importlib.util
import sys
import types

root = importlib.util.find_spec("timm").submodule_search_locations[0]
for name, folder in (("timm", root), ("timm.optim", f"{root}/optim")):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [folder]

from timm.optim.adabelief import AdaBelief  # noqa: E402, F401
from timm.optim.adamw import AdamWLegacy  # noqa: E402, F401
from timm.optim.adan import Adan  # noqa: E402, F401
from timm.optim.adopt import Adopt  # noqa: E402, F401
from timm.optim.lamb import Lamb  # noqa: E402, F401
from timm.optim.nadamw import NAdamW  # noqa: E402, F401

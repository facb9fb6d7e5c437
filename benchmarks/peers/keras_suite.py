"""Keras' tests of its Adam and AdamW, of the optimizers' base class, and of what wraps them."""

from __future__ import annotations

import os
from collections.abc import Mapping

from suite import Suite


def prepare() -> None:
    """Import the installed package before pytest finds the one in the checkout."""
    import keras  # noqa: F401


def replace() -> Mapping[object, object]:
    """Put our ``Adam`` and ``AdamW`` into the modules from which the tests import them."""
    import keras
    from keras.src import optimizers
    from keras.src.optimizers import adam, adamw

    from adamcore.backends.keras import Adam, AdamW

    replaced: dict[object, object] = {adam.Adam: Adam, adamw.AdamW: AdamW}
    for module in (keras.optimizers, optimizers, adam):
        vars(module).update(Adam=Adam)
    for module in (keras.optimizers, optimizers, adamw):
        vars(module).update(AdamW=AdamW)
    if keras.backend.backend() == "torch":  # else Keras makes one of its own subclasses of what is named Adam
        from keras.src.backend.torch.optimizers.torch_optimizer import TorchOptimizer

        setattr(TorchOptimizer, "__new__", lambda cls, *args, **options: object.__new__(cls))  # noqa: B010
    for name, theirs in optimizers.ALL_OBJECTS_DICT.items():  # by name, as ``optimizers.get`` makes them
        optimizers.ALL_OBJECTS_DICT[name] = replaced.get(theirs, theirs)
    return replaced


SUITE = Suite(
    library="keras",
    repository="https://github.com/keras-team/keras",
    tag="v{version}",
    folders=("keras/src/optimizers",),
    directory="keras/src/optimizers",
    arguments=(
        "--noconftest",
        "--import-mode=importlib",
        "adam_test.py",
        "adamw_test.py",
        "optimizer_test.py",
        "optimizer_sparse_test.py",
        "multi_optimizer_test.py",
        "loss_scale_optimizer_test.py",
        "schedules/learning_rate_schedule_test.py",
    ),
    packages=("keras", "jax", "torch", "numpy", "absl-py"),
    replace=replace,
    prepare=prepare,
    environment={"KERAS_BACKEND": os.environ.get("KERAS_BACKEND", "jax")},
)

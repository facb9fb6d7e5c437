"""Our own backends of JAX on a mesh of devices: ``Adam.step`` on arrays that lie in parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adamcore.conformance.candidates.own import Jax, JaxJit, JaxNative, Library
from adamcore.conformance.candidates.sharded.exchange import Exchange
from adamcore.conformance.candidates.sharded.jax import Devices
from adamcore.conformance.types import FloatArray


class OnMesh(Library):
    """What is different on a mesh, whichever backend it is.

    Args:
        one: the backend on one device.
        devices: the devices.
    """

    def __init__(self, one: Jax, devices: Devices) -> None:
        self.one, self.xp, self.jax, self.where = one, one.xp, one.jax, one.where
        self.flushes, self.compiles = one.flushes, one.compiles
        self.rounds_alike = devices.rounds_alike or not one.compiles
        self.devices, self.device = devices, devices.named(one.device)

    def array(self, value: FloatArray) -> Any:
        return self.devices.array(value)

    def numpy(self, array: Any) -> FloatArray:
        return self.devices.numpy(array).copy()

    def stepper(self, step: Callable[..., Any]) -> Callable[..., Any]:
        return self.one.stepper(self.devices.divided(step))

    def elsewhere(self) -> OnMesh:
        return OnMesh(self.one, self.devices.elsewhere())


def on_mesh(library: Library, layout: str, ranks: int, exchange: Exchange | None = None) -> OnMesh | None:
    """Return a backend of JAX on so many devices; None if the library is another one.

    Args:
        library: the backend on one device.
        layout: how arrays lie on the devices.
        ranks: how many devices.
        exchange: the processes that have a device each; None if this process has all devices.
    """
    if not isinstance(library, (Jax, JaxJit, JaxNative)):
        return None
    return OnMesh(library, Devices(layout, ranks, library.where.platform, exchange))

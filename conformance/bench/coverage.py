"""Examples that the fast paths do not support, each with the reason and the price.

There the backend runs the definition, operation by operation.  The price is the time of such a step over that
of a step of a float32 vector of as many bytes, which every fast path supports.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from adamcore import Adam
from adamcore.conformance.bench.contenders import FRAMEWORKS, is_available
from adamcore.conformance.bench.workloads import NARROW
from adamcore.jobs import Job

Example = Callable[[Any], Any]

EXAMPLES: dict[str, Example] = {
    "float32": lambda x: x.astype("float32"),
    "float64": lambda x: x,
    "float16": lambda x: x.astype("float16"),
    "complex64": lambda x: x.astype("complex64"),
    "transposed": lambda x: x.reshape(2, -1).T,
    "every second": lambda x: x[::2],
}


MASKED = "a mask"  #: the example of float32 with a mask of elements
ELEMENTS = 1 << 18  #: of an example whose price is measured
ROUNDS = 9  #: of which the price is the median
WARM = 3  #: steps before the first round


def unsupported_examples(frameworks: Collection[str] = FRAMEWORKS) -> dict[str, dict[str, str]]:
    """Return the unsupported examples of each of these frameworks, with the reason."""
    found: dict[str, dict[str, str]] = {}
    for framework in FRAMEWORKS:
        if framework not in frameworks or framework in NARROW or not is_available(framework):
            continue
        reasons = {name: unsupported_reason(framework, make) for name, make in EXAMPLES.items()}
        reasons[MASKED] = unsupported_reason(framework, EXAMPLES["float32"], mask=True)
        found[framework] = {name: why for name, why in reasons.items() if why is not None}
    return found


def prices(examples: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, float]]:
    """Return what each example costs: the ratio of its time to that of a vector of as many bytes.

    Args:
        examples: of each framework, as :func:`unsupported_examples` returns them.
    """
    return {
        framework: {name: price(framework, name) for name in reasons}
        for framework, reasons in examples.items()
    }


def price(framework: str, name: str) -> float:
    """Return the price of one example; the two steps take turns."""
    make = EXAMPLES["float32" if name == MASKED else name]
    size = make(np.arange(float(ELEMENTS))).nbytes // 4
    steps = (
        step_of(lambda: array_of(framework, make(np.linspace(0.5, 1.0, ELEMENTS))), name == MASKED),
        step_of(lambda: array_of(framework, np.linspace(0.5, 1.0, size, dtype="float32")), False),
    )
    ratios = []
    for number in range(WARM + ROUNDS):
        slow, fast = (seconds_of(step) for step in steps)
        if number >= WARM:
            ratios.append(slow / fast)
    return statistics.median(ratios)


def seconds_of(step: Callable[[], None]) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def step_of(make: Callable[[], Any], mask: bool) -> Callable[[], None]:
    """Return a donated step of an array, with another array of the same kind as its gradient."""
    adam, p, g = Adam(), make(), make()
    state, present = adam.init(p), (g == g) if mask else None

    def step() -> None:
        nonlocal p, state
        p, state = adam.step(p, g, state, present=present, donate=True)
        wait_for(p)

    return step


def wait_for(x: Any) -> None:
    """Wait until a device has computed an array."""
    if hasattr(x, "block_until_ready"):
        x.block_until_ready()
    elif getattr(x, "is_cuda", False):
        import torch

        torch.cuda.synchronize()


def unsupported_reason(framework: str, make: Example, mask: bool = False) -> str | None:
    """Return why the fast path of a framework does not support an example, or None if it does."""
    [job] = jobs_of(array_of(framework, make(np.arange(8.0))), mask)
    if framework.startswith("torch"):
        from adamcore.backends.torch.fast import unsupported
    elif framework == "jax":
        from adamcore.backends.jax.fast import unsupported
    else:
        from adamcore.backends.numpy.fast import unsupported
    return unsupported(job)


def array_of(framework: str, values: Any) -> Any:
    """Return an array of NumPy as one of a framework, with its strides; float64 is float32 in JAX."""
    if framework.startswith("torch"):
        import torch

        owned = np.asarray(values, order="C") if values.base is None else values
        return torch.from_numpy(owned).to(framework.partition(":")[2] or "cpu")
    if framework == "jax":
        import jax.numpy as jnp

        return jnp.asarray(values.astype(np.float32) if values.dtype == np.float64 else values)
    return values


def jobs_of(p: Any, mask: bool) -> list[Job]:
    """Return the jobs that a step gives to the backend."""
    from adamcore.registry import backend_for

    given: list[Job] = []
    backend = backend_for(p)
    kind: Any = type(backend)

    class Recording(kind):  # type: ignore[misc]
        def apply(self, adam: Adam, jobs: Any, donate: bool) -> Any:
            given.extend(jobs)
            return super().apply(adam, jobs, donate)

    adam = Adam()
    state = adam.init(p)
    backend.__class__ = Recording
    try:
        adam.step(p, p, state, present=(p == p) if mask else None)
    finally:
        backend.__class__ = kind
    return given

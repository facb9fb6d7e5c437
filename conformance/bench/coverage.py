"""Examples that the fast paths do not support, each with the reason; the backend runs the definition."""

from __future__ import annotations

from collections.abc import Callable
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


def unsupported_examples() -> dict[str, dict[str, str]]:
    """Return the unsupported examples of each framework, with the reason."""
    found: dict[str, dict[str, str]] = {}
    for framework in FRAMEWORKS:
        if framework in NARROW or not is_available(framework):
            continue
        reasons = {name: unsupported_reason(framework, make) for name, make in EXAMPLES.items()}
        reasons["a mask"] = unsupported_reason(framework, EXAMPLES["float32"], mask=True)
        found[framework] = {name: why for name, why in reasons.items() if why is not None}
    return found


def unsupported_reason(framework: str, make: Example, mask: bool = False) -> str | None:
    """Return why the fast path of a framework does not support an example, or None if it does."""
    p: Any = make(np.arange(8.0))
    if framework.startswith("torch"):
        import torch

        from adamcore.backends.torch.fast import unsupported

        p = torch.from_numpy(np.ascontiguousarray(p)) if p.base is None else torch.from_numpy(p)
        p = p.to(framework.partition(":")[2] or "cpu")
    elif framework == "jax":
        import jax.numpy as jnp

        from adamcore.backends.jax.fast import unsupported

        if p.dtype == np.float64:
            p = p.astype(np.float32)
        p = jnp.asarray(p)
    else:
        from adamcore.backends.numpy.fast import unsupported
    [job] = jobs_of(p, mask)
    return unsupported(job)


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

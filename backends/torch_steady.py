"""Steps of a `torch.optim.Optimizer` on the same tensors again: the table of addresses is kept.

What is compared with the step before are addresses, shapes, dtypes and contiguity, so a
parameter that was moved, a state that was loaded or a gradient of another kind goes the long way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.utils.weak import WeakIdKeyDictionary

from adamcore.backends import torch_fast
from adamcore.protocol import Job

if TYPE_CHECKING:
    from adamcore.adam import Adam
    from adamcore.backends.torch_slots import Slots

_known: Any = (
    WeakIdKeyDictionary()
)  # the first parameter of a group -> its Adam, its length, what is prepared


def again(core: Adam, slots: Slots, coefficients: list[Any]) -> bool:
    """Make the step if it is like the one before; False, and nothing is changed, if it is not."""
    if torch.compiler.is_compiling() or not slots.params:
        return False
    before, length, prepared = _known.get(slots.params[0], (None, 0, None))
    if before is not core or prepared is None or length != len(slots.params):
        return False
    columns = [slots.params, slots.grads, slots.ms, slots.vs]
    if core.amsgrad != "none":
        columns.append(slots.maxima)
    if not all(type(c.step_m) is float for c in coefficients):
        return False
    if not torch_fast.MEMORY.plain(slots.params, prepared.shapes, prepared.dtype):
        return False
    if not prepared.fits(columns):
        return False
    first = coefficients[0]
    prepared.run([first] if all(c is first for c in coefficients) else coefficients)
    return True


def remember(core: Adam, jobs: list[Job]) -> None:
    """Prepare for another step like this one, if it can be made faster."""
    if torch.compiler.is_compiling() or not jobs:
        return
    fast = all(torch_fast.obstacle(job) is None for job in jobs)
    prepared = torch_fast.prepare(core, jobs) if fast else None
    _known[jobs[0].p] = (core, len(jobs), prepared)

"""Steps that an engine makes for the sake of the state, before there is anything to step.

``torch.optim`` makes state in a step and nowhere else.  So an engine that needs state in advance, to load a
checkpoint into it, sets zero gradients and calls ``step()``.  The step of another optimizer then ticks its
clocks and, with an L2 decay, moves its moments.  Here such a step makes the state and does nothing else.

Zero gradients and a learning rate of 0 do not tell such a step from an ordinary one.  Who calls it does.
"""

from __future__ import annotations

import sys

CALLERS = {
    ("torch.distributed.checkpoint.state_dict", "_init_optim_state"),
    ("torch.distributed.optim.named_optimizer", "init_state"),
    ("deepspeed.runtime.zero.stage_1_and_2", "initialize_optimizer_states"),
    ("deepspeed.runtime.zero.stage3", "initialize_optimizer_states"),
    ("deepspeed.runtime.bf16_optimizer", "initialize_optimizer_states"),
}  #: functions, by module and name, that call ``step()`` so that there be state
MODULES = {module for module, _ in CALLERS}
NAMES = {name for _, name in CALLERS}
DEPTH = 12  #: frames between such a function and the step: wrappers of hooks, profilers and schedulers


def asks_for_state() -> bool:
    """True if a function of :data:`CALLERS` makes the step that calls this."""
    if sys.modules.keys().isdisjoint(MODULES):
        return False
    frame = sys._getframe(1)
    for _ in range(DEPTH):
        name = frame.f_code.co_name
        if name in NAMES and (frame.f_globals.get("__name__"), name) in CALLERS:
            return True
        if frame.f_back is None:
            return False
        frame = frame.f_back
    return False

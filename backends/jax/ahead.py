"""The coefficients of coming steps, put on the device together.

An argument that lies on the host costs a small step a fifth of its time.  A training whose learning rate
stays as it is has known coefficients: those of some coming steps go to the device as one table, of which the
program takes the row of its clock.  Row k is for the clock, before its tick, whose remainder by
:data:`COMING` is k.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax

from adamcore.backends.jax.jit_program import COMING, JitProgram
from adamcore.definition import Coefficients
from adamcore.types import Array

FEW = 16  #: leaves up to which a second program is compiled for it
PATIENCE = 16  #: steps with one learning rate before it is taken to stay


class Ahead:
    """Tables for the coming steps of arrays that have one clock.

    Args:
        program: the program that takes the tables.
        known: returns the coefficients of the update numbered t at a learning rate; None if it has none that
            this program takes.
    """

    def __init__(self, program: JitProgram, known: Callable[[int, float], Coefficients | None]) -> None:
        self.program, self.known = program, known
        self.lr = 0.0  #: of the last step
        self.same = 0  #: steps since it was another
        self.stop = 0  #: the clock, before its tick, for which there is no row any more
        self.tables: list[Array] = []

    def at(self, t: int, lr: Any, like: Array) -> Sequence[Array] | None:
        """Return the tables with the row of a step; None if there is none.

        Args:
            t: the clock before its tick, which only grows from call to call.
            lr: the learning rate.
            like: an array where the tables are to be.
        """
        if type(lr) is not float or lr != self.lr or not lr:  # 0.0 and -0.0 are equal, and have other bits
            self.lr, self.same, self.stop = lr if type(lr) is float else 0.0, 0, 0
            return None
        if t < self.stop:
            return self.tables
        self.same += 1
        return self.tables if self.same >= PATIENCE and self.make(t, like) else None

    def make(self, t: int, like: Array) -> bool:
        """Make the tables of the steps from ``t`` to the next multiple of COMING; False if that can't be."""
        start = t - t % COMING
        rows = [self.known(k + 1, self.lr) for k in range(t, start + COMING)]
        if None in rows:
            return False
        whole: list[Any] = [rows[0]] * (t - start) + rows
        place = like.sharding if like.committed else None
        self.tables = jax.device_put(self.program.tables(whole, None), place)
        self.stop = start + COMING
        return True

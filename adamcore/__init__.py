"""One Adam, defined once, run everywhere."""

from adamcore._minimize import minimize
from adamcore.adam import Adam
from adamcore.axes import AXES
from adamcore.state import AdamState
from adamcore.step.clipping import Clip
from adamcore.step.rows import Rows

__all__ = ["AXES", "Adam", "AdamState", "Clip", "Rows", "minimize"]

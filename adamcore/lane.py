"""Where a pickled `Adam` of before 0.1 looks for its cache, which is empty in a pickle."""

from adamcore.step_cache import StepCache as Lanes

__all__ = ["Lanes"]

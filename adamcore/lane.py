"""Where a pickled `Adam` of before 0.1 looks for its cache, which is empty in a pickle."""

__all__ = ["Lanes"]

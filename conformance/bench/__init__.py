"""``adamcore bench``: the time of a step in every backend, beside its framework's own Adam.

:mod:`contenders` lists what is timed, :mod:`workloads` the shapes, :mod:`measure` does the timing, and
:mod:`results`, :mod:`text` and :mod:`plot` are its outcome as a file, as text and as a plot.
"""

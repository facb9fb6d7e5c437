"""Steps of JAX run by programs that many probes share.

* :mod:`elementwise`: a step taken apart into programs, and run by them.
* :mod:`pointwise`: the operations of a step, and which of them treat each element alone.
* :mod:`counting`: numbers that NumPy computes as XLA does, so that they need no program.
* :mod:`compilations`: how many programs were compiled so far.
"""

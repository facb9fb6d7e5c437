"""What the adapters of all kinds of candidates share.

* :mod:`base`: what a candidate is; :mod:`runs`: how a probe is run.
* :mod:`arguments`: the constructor argument of each hyperparameter; :mod:`defaults`: what it is by itself.
* :mod:`buffers`: the memory in which gradients arrive.
"""

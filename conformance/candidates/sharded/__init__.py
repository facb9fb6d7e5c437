"""Adapters that run a candidate on several ranks: processes of PyTorch, devices of JAX.

* :mod:`layouts`: how parameters lie on ranks, and how their parts are put together.
* :mod:`torch`: ``torch.optim.Optimizer`` classes on processes; :mod:`own_torch`: our own backend there.
* :mod:`jax`: optax factories on a mesh of devices; :mod:`own_jax`: our own backends there.
* :mod:`exchange`: what the processes say to each other, if each device is one of a process.
"""

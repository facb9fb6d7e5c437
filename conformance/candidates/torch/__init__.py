"""The adapter of ``torch.optim.Optimizer`` classes.

* :mod:`candidate`: a class as a candidate; :mod:`stepper`: its steps in a probe.
* :mod:`groups`, :mod:`group_names`, :mod:`closures`, :mod:`tensors`: what the steps are made of.
"""

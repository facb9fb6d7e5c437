"""mindspore.nn.Adam on the CPU, outside a graph; the caller hands the gradients over."""

import mindspore
import numpy as np
from mindspore import Parameter, Tensor, nn

mindspore.set_context(mode=mindspore.PYNATIVE_MODE)
mindspore.set_device("CPU")


class Adam:
    complex = False
    made = staticmethod(nn.Adam)

    def init(self, params, hyper):
        self.params = [Parameter(Tensor(np.array(p)), name=f"p{i}") for i, p in enumerate(params)]
        self.optimizer = self.made(
            self.params,
            learning_rate=hyper["lr"],
            beta1=hyper["b1"],
            beta2=hyper["b2"],
            eps=hyper["eps"],
            weight_decay=hyper["weight_decay"],
        )

    def set_lr(self, lr):
        self.optimizer.learning_rate.set_data(Tensor(lr, mindspore.float32))

    def step(self, grads):
        if any(g is None for g in grads):
            raise ValueError("a gradient is absent")
        self.optimizer(tuple(Tensor(np.array(g)) for g in grads))
        return [p.asnumpy().copy() for p in self.params]


class AdamWeightDecay(Adam):
    made = staticmethod(nn.AdamWeightDecay)

"""The reference implementation of ONNX runs a graph of one Adam node, which has no more than tensors."""

import numpy as np
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

TYPES = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE}
DOMAIN = "ai.onnx.preview.training"


class Adam:
    """Decay is ``norm_coefficient``; the clock is 1 in the first step, as the caller is to count."""

    complex = False

    def init(self, params, hyper):
        self.hyper, self.t, self.lr = dict(hyper), 0, hyper["lr"]
        self.params = [np.array(p) for p in params]
        self.m, self.v = ([np.zeros_like(p) for p in params] for _ in range(2))
        self.runs = [self.graph(str(p.dtype)) for p in params]

    def graph(self, dtype):
        node = helper.make_node(
            "Adam",
            ["R", "T", "X", "G", "V", "H"],
            ["X_new", "V_new", "H_new"],
            domain=DOMAIN,
            alpha=self.hyper["b1"],
            beta=self.hyper["b2"],
            epsilon=self.hyper["eps"],
            norm_coefficient=self.hyper["weight_decay"],
        )
        kind = TYPES[dtype]
        scalars = [("R", kind, []), ("T", TensorProto.INT64, [])]
        inputs = [*scalars, *((name, kind, None) for name in "XGVH")]
        outputs = [(f"{name}_new", kind, None) for name in "XVH"]
        graph = helper.make_graph(
            [node],
            "adam",
            [helper.make_tensor_value_info(*each) for each in inputs],
            [helper.make_tensor_value_info(*each) for each in outputs],
        )
        opsets = [helper.make_opsetid(DOMAIN, 1), helper.make_opsetid("", 18)]
        return ReferenceEvaluator(helper.make_model(graph, opset_imports=opsets))

    def set_lr(self, lr):
        self.lr = lr

    def step(self, grads):
        if any(g is None for g in grads):
            raise ValueError("a gradient is absent")
        self.t += 1
        for i, g in enumerate(grads):
            x = self.params[i]
            given = {"R": np.array(self.lr, x.dtype), "T": np.array(self.t), "X": x, "G": np.array(g)}
            new = self.runs[i].run(None, {**given, "V": self.m[i], "H": self.v[i]})
            self.params[i], self.m[i], self.v[i] = (np.asarray(each).astype(x.dtype) for each in new)
        return [p.copy() for p in self.params]

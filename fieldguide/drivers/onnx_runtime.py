"""AdamWOptimizer of com.microsoft, the operator that onnxruntime's training steps with: float32 alone."""

import numpy as np
import onnxruntime
from onnx import TensorProto, helper

SEQUENCES = ("weights", "gradients", "momentums_1", "momentums_2")


def session(h):
    """Return a session of the operator alone; its hyperparameters but the learning rate are attributes."""
    after = [f"updated_{name}" for name in ("weights", "momentums_1", "momentums_2")]
    node = helper.make_node(
        "AdamWOptimizer",
        ["lr", "step", *SEQUENCES],
        ["updated", *after],
        domain="com.microsoft",
        alpha=h["b1"],
        beta=h["b2"],
        epsilon=h["eps"],
        weight_decay=h["weight_decay"],
        adam_mode=0,
        correct_bias=1,
    )
    scalars = [
        helper.make_tensor_value_info("lr", TensorProto.FLOAT, []),
        helper.make_tensor_value_info("step", TensorProto.INT64, []),
    ]
    given, made = (
        [helper.make_tensor_sequence_value_info(name, TensorProto.FLOAT, None) for name in names]
        for names in (SEQUENCES, after)
    )
    updated = helper.make_tensor_value_info("updated", TensorProto.BOOL, [])
    graph = helper.make_graph([node], "step", [*scalars, *given], [updated, *made])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


class AdamW:
    complex = False

    def init(self, params, hyper):
        if any(p.dtype != np.float32 for p in params):
            raise NotImplementedError("float32 alone")
        self.session, self.lr, self.t = session(hyper), hyper["lr"], 0
        self.params = [np.array(p) for p in params]
        self.m, self.v = ([np.zeros_like(p) for p in self.params] for _ in range(2))

    def set_lr(self, lr):
        self.lr = lr

    def step(self, grads):
        if any(g is None for g in grads):
            raise ValueError("a gradient is absent")
        self.t += 1
        given = zip(SEQUENCES, (self.params, [np.array(g) for g in grads], self.m, self.v))
        scalars = {"lr": np.array(self.lr, np.float32), "step": np.array(self.t, np.int64)}
        _, self.params, self.m, self.v = self.session.run(None, scalars | dict(given))
        return [p.copy() for p in self.params]

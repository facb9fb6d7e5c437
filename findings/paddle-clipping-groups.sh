#!/bin/bash
# Paddle: ClipGradByGlobalNorm clips each parameter group by a norm of its own.
#
# Versions:  paddlepaddle 3.3.1, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: The norm is of all parameters of the optimizer, as documented, if they are given as one list. If they are given as
#            groups (weights that decay and biases that do not, a head with a higher rate), each group is
#            clipped by itself: the gradients of n groups, clipped to a norm of 1, have one of up to sqrt(n), and
#            their direction is another, since a group with large gradients is scaled more than one with small ones. A
#            group whose norm is under the limit is not scaled at all, however large the others are. Nothing warns.
# Source:    python/paddle/optimizer/optimizer.py: step calls _apply_optimize for each group, and that calls _grad_clip.
# Advice:    Call paddle.nn.utils.clip_grad_norm_ with all parameters before step, and give the optimizer no grad_clip.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet paddlepaddle==3.3.1 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import sys

import numpy as np
import paddle

GRADIENTS = np.array([[3.0, 0.0], [0.0, 4.0], [0.0, 0.3], [12.0, 0.0]], dtype="float32")


def used(grouped, clip=None, before=None):
    """Return the gradients that a step of SGD with a rate of 1 uses."""
    parameters = []
    for _ in GRADIENTS:
        parameters.append(paddle.create_parameter([2], "float32"))
        parameters[-1].set_value(np.zeros(2, dtype="float32"))
    given = [{"params": [p]} for p in parameters] if grouped else parameters
    optimizer = paddle.optimizer.SGD(1.0, parameters=given, grad_clip=clip)
    sum((p * paddle.to_tensor(g)).sum() for p, g in zip(parameters, GRADIENTS)).backward()
    if before:
        before(parameters)
    optimizer.step()
    return -np.stack([p.numpy() for p in parameters])


def clip():
    return paddle.nn.ClipGradByGlobalNorm(1.0)


whole = GRADIENTS / np.linalg.norm(GRADIENTS)
apart = np.stack([g / max(np.linalg.norm(g), 1.0) for g in GRADIENTS])
cases = {
    "no clipping": (used(True), GRADIENTS),
    "one list": (used(False, clip()), whole),
    "four groups": (used(True, clip()), apart),
    "four groups, clip_grad_norm_ before": (used(True, before=lambda ps: paddle.nn.utils.clip_grad_norm_(ps, 1.0)), whole),
}
print(f"paddlepaddle {paddle.__version__}: the norms of gradients that are clipped to a global norm of 1")
for case, (found, expected) in cases.items():
    numbers = "".join(f" {number:6.3f}" for number in np.linalg.norm(found, axis=1))
    print(f"  {case:36}{numbers}, in all {np.linalg.norm(found):.3f}")
    if not np.allclose(found, expected, rtol=1e-5):
        sys.exit("CHANGED")
print("as described: groups are clipped apart")
PROGRAM
"$home/venv/bin/python" -W ignore "$home/program.py"

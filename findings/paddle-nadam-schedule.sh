#!/bin/bash
# From step 2,600 on paddle's NAdam loses its schedule of momentum.
#
# Versions:  paddlepaddle 3.3.1 on the CPU, Python 3.11.
# Behaviour: with the usual momentum_decay of 0.004 the momentum of step t is beta1 * (1 - 0.5 * 0.96**(0.004*t)), which
#            grows from 0.45 to 0.9 over tens of thousands of steps. The kernel keeps 0.96**t in float32 and raises
#            that to the power 0.004. It is 0 from step 2,600 on, so the momentum jumps from 0.6 to 0.9. After 10,000
#            steps half of the parameters are 4,000 ULP and more from where NAdam would have them.
# Source:    paddle/phi/kernels/impl/nadam_kernel_impl.h: momentum_decay_pow_out = momentum_decay_pow * 0.96, and
#            momentum_decay_pow_out.pow(momentum_decay) in the momentum.
# Advice:    Keep the step, or 0.96**momentum_decay to the power t.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3.11 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet paddlepaddle==3.3.1 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import sys

import numpy as np
import paddle

paddle.set_device("cpu")
B1, B2, DECAY, SIZE = 0.9, 0.999, 0.004, 64
SEEN = (1000, 2000, 3000, 10_000)


def momentum(t):
    return B1 * (1 - 0.5 * 0.96 ** (DECAY * t))


rng = np.random.default_rng(2)
start = rng.standard_normal(SIZE, np.float32)
p = paddle.base.framework.EagerParamBase.from_tensor(paddle.to_tensor(start))
optimizer = paddle.optimizer.NAdam(0.001, B1, B2, 1e-8, momentum_decay=DECAY, parameters=[p])
exact, m, v, product, off = start.astype(float), np.zeros(SIZE), np.zeros(SIZE), 1.0, {}
for t in range(1, SEEN[-1] + 1):
    g = rng.standard_normal(SIZE, np.float32)
    p.grad = paddle.to_tensor(g)
    optimizer.step()
    product *= momentum(t)
    m = B1 * m + (1 - B1) * g
    v = B2 * v + (1 - B2) * g.astype(float) ** 2
    ahead = momentum(t + 1) * m / (1 - product * momentum(t + 1)) + (1 - momentum(t)) * g / (1 - product)
    exact = exact - 0.001 * ahead / (np.sqrt(v / (1 - B2**t)) + 1e-8)
    if t in SEEN:
        off[t] = float(np.median(np.abs(p.numpy() - exact)))
        print(f"after {t:,} steps: off by {off[t]:.1e} in the median")
if off[3000] < 20 * off[2000]:
    sys.exit("CHANGED: nothing happens between steps 2,000 and 3,000")
print("as described: between steps 2,000 and 3,000 the momentum has left its schedule")
PROGRAM
"$home/venv/bin/python" "$home/program.py"

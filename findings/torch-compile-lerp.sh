#!/bin/bash
# torch.lerp under torch.compile keeps the weight of an earlier call, if the weight comes from a Python float.
#
# Versions:  torch 2.13.0, numpy 2.4.6, Python 3.11, Linux x86-64 with g++.
# Behaviour: f(m, g, b) = lerp(m, g, 1 - b) / (1 - b) is compiled for b = 0.5, and anew, with b as an input of the
#            program, for b = 0.9. From then on another b changes the divisor, while the weight of lerp stays 0.1.
#            With m = 0 and g = 1 the answer is 1 for every b; for b = 0.8 it is 0.5. Without the division the
#            answers are right. An Adam with `m.lerp_(g, 1 - beta1)` and `1 - beta1**t`, compiled as one function
#            of beta1, is wrong from the third beta1 on.
#
# Exit status: 0 as described, 1 changed, 2 the packages or a C++ compiler are not there.
set -eu
command -v g++ > /dev/null || { echo "no g++"; exit 2; }
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import sys

import torch


def f(m, g, b):
    return torch.lerp(m, g, 1 - b) / (1 - b)


print(f"torch {torch.__version__}")
compiled = torch.compile(f)
seen = []
for b in (0.5, 0.9, 0.8, 0.7):
    m, g = torch.zeros(3), torch.ones(3)
    eager, fast = float(f(m, g, b)[0]), float(compiled(m, g, b)[0])
    seen.append(fast)
    print(f"b={b}  eager {eager:.6f}  compiled {fast:.6f}")
    if abs(eager - 1) > 1e-5:
        sys.exit("CHANGED: eager mode is not right either")
if all(abs(x - 1) < 1e-5 for x in seen):
    sys.exit("CHANGED: compiled, it is right now")
if abs(seen[2] - 0.5) > 1e-5:
    sys.exit("CHANGED: another number than 0.5")
print("as described: the third b divides, and the second one still weighs")
PROGRAM
TORCHINDUCTOR_CACHE_DIR="$home/cache" "$home/venv/bin/python" "$home/program.py"

#!/bin/bash
# The gradient of torch.nn.Embedding in 16 bits stops growing after 256 (bfloat16) or 2048 (float16) equal terms.
#
# Versions:  torch 2.13.0, numpy 2.4.6, Python 3.11, Linux x86-64.
# Behaviour: On the CPU the rows of an index that occurs more than once are added up in the embedding's own dtype,
#            one after the other, so that a sum which is 256 (2048) times as large as a term takes no more of them:
#            an index that occurs 1024 times gets 256 terms, a quarter of its gradient. So with sparse=False, and
#            with sparse=True where coalesce() or to_dense() adds the rows up. torch.sum of the same terms is right,
#            since it adds up in float32.
# Seen on:   AMD EPYC (family 25, model 17), AVX-512; the code does not depend on the processor.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import sys

import torch

print(f"torch {torch.__version__}")
for dtype, count, expected in ((torch.bfloat16, 1024, 256), (torch.float16, 8192, 2048)):
    terms = torch.ones(count, 1, dtype=dtype)
    found = {"torch.sum": terms.sum().item()}
    for sparse in (False, True):
        embedding = torch.nn.Embedding(3, 1, sparse=sparse, dtype=dtype)
        embedding(torch.ones(count, dtype=torch.int64)).backward(terms)
        g = embedding.weight.grad
        found[f"sparse={sparse}"] = (g.to_dense() if sparse else g)[1].item()
        if sparse:
            found["coalesce"] = g.coalesce().values().item()
    print(f"{count} ones in {str(dtype):15}", "  ".join(f"{name}: {x:g}" for name, x in found.items()))
    if found.pop("torch.sum") != count:
        sys.exit("CHANGED: torch.sum is not right either")
    if set(found.values()) != {expected}:
        sys.exit("CHANGED: the sums are other ones now")
print("as described: an index that occurs often gets the gradient of a few of its occurrences")
PROGRAM
"$home/venv/bin/python" -W ignore "$home/program.py"

#!/bin/bash
# scikit-learn: the loop of fit that its guide advises starts Adam anew in each epoch.
#
# Versions:  scikit-learn 1.9.1, numpy 2.4.6, Python 3.11.
# Behaviour: The guide on neural networks ("More control over SGD") has MLPClassifier(max_iter=1, warm_start=True) and a
#            loop of fit, to look at the network in each epoch. The weights go on, and Adam does not: each fit has
#            moments of 0 and a clock of 0. Where the data are one batch (200 rows by default), every step is
#            a first one, and each weight moves by learning_rate_init, whatever its gradient, to the last epoch: the
#            loss stays where such steps leave it, and that of one fit with as many epochs goes to 0 in the example.
#            partial_fit goes on with Adam's state.
# Source:    sklearn/neural_network/_multilayer_perceptron.py, _fit_stochastic: a new AdamOptimizer if not incremental.
# Advice:    Call partial_fit in the loop (with classes= for a classifier).
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet scikit-learn==1.9.1 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import sys

import numpy as np
import sklearn
from sklearn.neural_network import MLPRegressor

EPOCHS, LR = 2000, 1e-2
x = np.random.RandomState(0).randn(100, 3)
y = x @ [1.0, -2.0, 0.5]


def network(**options):
    """Return a network without hidden nonlinearity, which can fit these data exactly."""
    return MLPRegressor(
        hidden_layer_sizes=(4,), activation="identity", alpha=0.0, learning_rate_init=LR, random_state=0,
        shuffle=False, tol=0.0, n_iter_no_change=EPOCHS, **options,
    )  # fmt: skip


def loop(method, **options):
    """Return a network after a call of a method in each epoch, and by how much its weights moved in the last one."""
    made = network(**options)
    for epoch in range(EPOCHS):
        before = [w.copy() for w in made.coefs_] if epoch else None
        getattr(made, method)(x, y)
    return made, np.concatenate([abs(w - b).ravel() for w, b in zip(made.coefs_, before, strict=True)])


print(f"scikit-learn {sklearn.__version__}: {EPOCHS} epochs of one batch, learning_rate_init {LR}")
whole = network(max_iter=EPOCHS).fit(x, y)
(partial, _), (warm, steps) = loop("partial_fit"), loop("fit", max_iter=1, warm_start=True)
for name, made in ("one fit", whole), ("a loop of partial_fit", partial), ("a loop of fit, warm_start", warm):
    print(f"  {name:26} loss {made.loss_:.2e}, Adam's clock {made._optimizer.t}")
print(f"  the last step of the weights in the loop of fit: {steps.min():.5f} to {steps.max():.5f}")
if (whole._optimizer.t, partial._optimizer.t, warm._optimizer.t) != (EPOCHS, EPOCHS, 1):
    sys.exit("CHANGED: another number of steps is counted")
if not all(np.array_equal(a, b) for a, b in zip(whole.coefs_, partial.coefs_, strict=True)):
    sys.exit("CHANGED: partial_fit does not go on as fit does")
if not np.allclose(steps, LR, rtol=1e-2) or warm.loss_ < 100 * whole.loss_:
    sys.exit("CHANGED: a loop of fit makes other steps")
print("as described: with warm_start every fit starts Adam anew")
PROGRAM
"$home/venv/bin/python" -W ignore "$home/program.py"

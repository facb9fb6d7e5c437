#!/bin/bash
# river: Averager has no effect, whatever model it is given to.
#
# Versions:  river 0.26.1, numpy 2.4.6, Python 3.11.
# Behaviour: optim.Averager wraps an optimizer, and its documentation says that it returns the current averaged weights. It
#            does, and no model makes anything of it: with it and without it weights and predictions are the same, to the
#            bit, whatever start is. Linear models leave out what step returns: they rely on what it changes in place, the
#            weights of the optimizer inside. Factorization machines and the recommenders go on with what it returns, which
#            is the dict of the averages itself, so that from then on the optimizer inside steps the averages, and each of
#            them is the mean of itself. Nothing warns. For a linear model the true averages stand in the optimizer.
# Source:    river/linear_model/base.py, GLM._fit; river/facto/base.py; river/reco/baseline.py; river/optim/average.py.
# Advice:    To predict with a linear model take its optimizer's avg_w, in a copy of the model.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet river==0.26.1 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import itertools
import math
import sys
import warnings
from collections import Counter
from importlib.metadata import version

from river import datasets, facto, linear_model, optim, reco

warnings.simplefilter("error")
SAMPLES = list(itertools.islice(datasets.Phishing(), 300))
RATINGS = [({"user": str(i % 7), "item": str(i % 11)}, float(i % 5)) for i in range(300)]

inner = {
    "SGD": lambda: optim.SGD(0.05),
    "Adam": lambda: optim.Adam(0.05),
}
models = {
    "LogisticRegression": lambda made: linear_model.LogisticRegression(optimizer=made),
    "LinearRegression": lambda made: linear_model.LinearRegression(optimizer=made),
    "FMClassifier": lambda made: facto.FMClassifier(weight_optimizer=made, seed=1),
}


def trained(model):
    """Return the weights and the sum of all weights that there were, and the predictions."""
    total, predictions = Counter(), []
    for x, y in SAMPLES:
        model.learn_one(x, y)
        total.update({name: float(weight) for name, weight in model.weights.items()})
        predictions.append(model.predict_proba_one(x)[True] if hasattr(model, "predict_proba_one") else model.predict_one(x))
    return dict(model.weights), dict(total), predictions


def baseline(made):
    """Return the predictions of a recommender."""
    model, predictions = reco.Baseline(optimizer=made), []
    for x, y in RATINGS:
        predictions.append(model.predict_one(**x))
        model.learn_one(**x, y=y)
    return predictions


print(f"river {version('river')}: Averager(SGD) and Averager(Adam), with start=0 and start=100, after {len(SAMPLES)} samples")
for name, model in models.items():
    for kind, optimizer in inner.items():
        weights, total, predictions = trained(model(optimizer()))
        for start in 0, 100:
            averager = optim.Averager(optimizer(), start=start)
            found = trained(model(averager))
            same = found[0] == weights and found[2] == predictions
            print(f"  {name:20}{kind:6}{start:4} the weights of {kind} alone: {same}")
            if not same:
                sys.exit("CHANGED: Averager has an effect")
        if name == "LogisticRegression":
            averager = optim.Averager(optimizer())
            trained(model(averager))
            means = {key: value / len(SAMPLES) for key, value in total.items()}
            if not all(math.isclose(averager.avg_w[key], mean, rel_tol=1e-9) for key, mean in means.items()):
                sys.exit("CHANGED: avg_w is not the mean")
            away = max(abs(mean / weights[key] - 1) for key, mean in means.items())
            print(f"  {'':20}{'':6}{'':4} the mean, in avg_w, differs from them by up to {away:.0%}")
            if away < 0.1:
                sys.exit("CHANGED: the mean is near the weights")
for kind, optimizer in inner.items():
    same = baseline(optimizer()) == baseline(optim.Averager(optimizer()))
    print(f"  {'reco.Baseline':20}{kind:6}{0:4} the predictions of {kind} alone: {same}")
    if not same:
        sys.exit("CHANGED: Averager has an effect")
print("as described: nothing is averaged")
PROGRAM
"$home/venv/bin/python" "$home/program.py"

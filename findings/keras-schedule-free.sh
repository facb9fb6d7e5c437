#!/bin/bash
# Keras: the weights that ScheduleFreeAdamW averages are never used, and with weight decay they are no average.
#
# Versions:  keras 3.15.1, jax 0.10.2, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: The schedule-free method trains at y and evaluates at x, the average of z. The documentation names x "the
#            averaged sequence used for evaluation". But evaluate, predict, checkpoints and the model after fit have y, and no
#            method leads to x: with noisy gradients the loss of the model is three times that of x. x can be computed from the
#            model and the optimizer's "momentum", which is z, as (y - (1 - beta_1) z) / beta_1. With weight_decay not
#            even that: y decays, where in the method z does too. z grows linearly with the steps to make up for it, 100 times
#            as large as the weights after 100,000 steps, and what is left of x goes to zero and through it. y
#            is trained all the same, as z / 10 and a little. Nothing warns.
# Source:    keras/src/optimizers/schedule_free_adamw.py has no weight decay of its own; base_optimizer.py: _apply_weight_decay
#            multiplies the variables before update_step finds x by them and z.
# Advice:    Use AdamW with a schedule and use_ema. If it has to be this optimizer, give no weight_decay, and set x before
#            evaluating, by the formula above.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet keras==3.15.1 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import sys

import jax
import jax.numpy as jnp
import keras
import numpy as np

SIZE, STEPS, LR, B1, B2 = 50, 100_000, 0.01, 0.9, 0.999
target = jax.random.normal(jax.random.key(1), (SIZE,))
curvature = jnp.logspace(0, -1.5, SIZE)


def loss(weights):
    return (curvature * (weights - target) ** 2).mean()


def gradient(weights, step):
    return curvature * (weights - target) + jax.random.normal(jax.random.fold_in(jax.random.key(0), step), (SIZE,)) / 2


def averaged(y, z):
    return (y - (1 - B1) * z) / B1


def in_keras(decay):
    """Return the variable after training, and the optimizer's "momentum"."""
    variable = keras.Variable(np.zeros(SIZE, "float32"))
    optimizer = keras.optimizers.ScheduleFreeAdamW(LR, weight_decay=decay)
    optimizer.build([variable])

    def step(count, carry):
        trained, state = carry
        return optimizer.stateless_apply(state, [gradient(trained[0], count)], trained)

    start = [variable.value], [one.value for one in optimizer.variables]
    trained, state = jax.jit(lambda start: jax.lax.fori_loop(0, STEPS, step, start))(start)
    return trained[0], next(value for one, value in zip(optimizer.variables, state) if one.path.endswith("_momentum"))


def in_the_paper(decay):
    def step(count, carry):
        x, z, v = carry
        y = (1 - B1) * z + B1 * x
        g = gradient(y, count)
        v = B2 * v + (1 - B2) * g**2
        z = z - LR * (g / (jnp.sqrt(v / (1 - B2 ** (count + 1.0))) + 1e-8) + (decay or 0) * y)
        return x + (z - x) / (count + 1.0), z, v

    zero = jnp.zeros(SIZE)
    x, z, _ = jax.jit(lambda: jax.lax.fori_loop(0, STEPS, step, (zero, zero, zero)))()
    return x, z


print(f"keras {keras.__version__}: {STEPS} steps")
size = jnp.linalg.norm
for decay in None, 0.1:
    y, z = in_keras(decay)
    right_x, right_z = in_the_paper(decay)
    x = averaged(y, z)
    losses = f"the model {loss(y):.5f}, its average {loss(x):.5f}, the paper's {loss(right_x):.5f}"
    norms = f"the model {size(y):.2f}, its average {size(x):.2f}, its z {size(z):.2f}, the paper's z {size(right_z):.2f}"
    print(f"  weight_decay={decay}\n    losses: {losses}\n    norms: {norms}")
    if decay is None and not (loss(y) > 2.5 * loss(x) and loss(x) < 1.1 * loss(right_x)):
        sys.exit("CHANGED")
    if decay and not (loss(x) > 100 * loss(right_x) and size(z) > 50 * size(right_z)):
        sys.exit("CHANGED")

layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
model = keras.Sequential([keras.layers.Input((1,)), layer])
model.compile(keras.optimizers.ScheduleFreeAdamW(0.1), "mse")
model.fit(np.ones((5, 1)), np.ones((5, 1)), batch_size=1, verbose=0)
z = next(variable for variable in model.optimizer.variables if variable.path.endswith("_momentum")).numpy().item()
weight = model.get_weights()[0].item()
average = averaged(weight, z)
scored = model.evaluate(np.ones((1, 1)), np.ones((1, 1)), verbose=0)
print(f"  after fit: the weight {weight:.3f}, its average {average:.3f}; evaluate scores {1 - scored**0.5:.3f}")
if abs(scored - (1 - weight) ** 2) > 1e-5 or abs(weight - average) < 0.01:
    sys.exit("CHANGED")
print("as described: the model has other weights than the average, and with decay there is none")
PROGRAM
KERAS_BACKEND=jax "$home/venv/bin/python" "$home/program.py"

// Written by `make pages` from adamcore/definition.py and the table of dialects; do not edit.
// `o` decides what a number is (arithmetic.js): a double, or a float32 rounded after each operation.
"use strict";
const FIELDS = ['w1', 'w2', 'keep1', 'keep2', 'step_m', 'step_g', 'inside', 'over_root', 'square', 'outside', 'decay', 'keep_p', 'mu_product', 'scale_g', 'least_g'];
const Coefficients = (...values) =>
  Object.fromEntries(FIELDS.map((name, i) => [name, values[i] ?? null]));
function definition(o) {
  function coefficients(n, adam, t, lr, mu_product = null) {
    let c1, c2, corrected, decay, inside, keep_p, mu, mu_next, next_c1, outside, over_c1, over_next, over_root, root, step_g, step_m, w1, w2;
    [w1, w2] = [n.complement(adam.b1), n.complement(adam.b2)];
    c1 = (['both', 'first'].includes(adam.bias_correction) ? n.complement_power(adam.b1, t) : null);
    c2 = (['both', 'second'].includes(adam.bias_correction) ? n.complement_power(adam.b2, t) : null);
    root = (c2 === null ? null : n.sqrt(c2));
    over_root = (root === null ? null : o.div(1.0, root));
    over_c1 = (c1 === null ? lr : o.div(lr, c1));
    if (adam.nesterov === 'none') {
      [step_m, step_g] = [over_c1, null];
    } else if (adam.nesterov === 'dozat') {
      [mu, mu_next] = [t, n.successor(t)].map((k) => o.mul(n.number(adam.b1), o.sub(1.0, o.mul(0.5, n.power(0.96, k, adam.momentum_decay)))));
      mu_product = o.mul(mu_product, mu);
      [step_m, step_g] = [o.mul(lr, mu_next), o.mul(lr, o.sub(1.0, mu))];
      if (c1 !== null) {
        [step_m, step_g] = [o.div(step_m, o.sub(1.0, o.mul(mu_product, mu_next))), o.div(step_g, o.sub(1.0, mu_product))];
      }
    } else if (adam.nesterov === 'optax') {
      next_c1 = (c1 === null ? null : n.complement_power(adam.b1, n.successor(t)));
      over_next = (next_c1 === null ? lr : o.div(lr, next_c1));
      [step_m, step_g] = [o.mul(over_next, n.number(adam.b1)), o.mul(over_c1, w1)];
    } else if (adam.nesterov === 'same-t') {
      [step_m, step_g] = [o.mul(over_c1, n.number(adam.b1)), o.mul(over_c1, w1)];
    }
    inside = outside = null;
    if (adam.epsilon.startsWith('outside')) {
      [inside, outside] = [(adam.eps_root || null), (adam.eps || null)];
    } else {
      inside = (adam.eps || null);
    }
    [inside, outside] = [inside, outside].map((e) => (e === null ? null : n.number(e)));
    corrected = adam.epsilon.endsWith('-corrected');
    if ((outside !== null && root !== null && !corrected)) {
      outside = o.div(outside, root);
    }
    if ((inside !== null && c2 !== null)) {
      if (adam.amsgrad === 'corrected') {
        inside = (corrected ? inside : o.div(inside, c2));
      } else {
        inside = (corrected ? o.mul(inside, c2) : inside);
      }
    }
    decay = keep_p = null;
    if (adam.weight_decay) {
      decay = n.number(adam.weight_decay);
      if (adam.decay === 'decoupled') {
        decay = o.mul(lr, decay);
      } else {
        if (adam.decay === 'decoupled-corrected') {
          decay = o.mul(decay, (root === null ? over_c1 : o.mul(over_c1, root)));
        } else {
          if (adam.decay === 'decoupled-relative') {
            decay = o.mul(o.div(lr, n.number(adam.lr_max)), decay);
          } else {
            if (adam.decay === 'decoupled-squared') {
              decay = o.mul(o.mul(lr, o.div(lr, n.number(adam.lr_max))), decay);
            }
          }
        }
      }
      if ((adam.decay !== 'l2' && !adam.cautious_decay)) {
        keep_p = n.keep(o.sub(1.0, decay), decay);
      }
    }
    return Coefficients(w1, w2, n.keep(adam.b1, w1), n.keep(adam.b2, w2), step_m, step_g, inside, over_root, c2, outside, decay, keep_p, mu_product);
  }
  function average(old, fresh, keep, weight) {
    return (keep === null ? o.add(old, o.mul(weight, o.sub(fresh, old))) : o.add(o.mul(keep, old), o.mul(weight, fresh)));
  }
  function add_weighted(old, fresh, keep, weight) {
    return (keep === null ? o.add(old, o.sub(fresh, o.mul(weight, old))) : o.add(o.mul(keep, old), fresh));
  }
  function update(xp, adam, c, parts, v, v_max = null) {
    let denominator, low, over_root, square, used;
    if (c.scale_g !== null) {
      parts = parts.map(([p, g, m]) => [p, o.mul(c.scale_g, g), m]);
    }
    if (c.least_g !== null) {
      low = c.least_g;
      parts = parts.map(([p, g, m]) => [p, o.neg(xp.maximum(o.neg(xp.maximum(g, low)), low)), m]);
    }
    if (adam.maximize) {
      parts = parts.map(([p, g, m]) => [p, o.neg(g), m]);
    }
    if ((adam.decay === 'l2' && c.decay !== null)) {
      parts = parts.map(([p, g, m]) => [p, o.add(g, o.mul(c.decay, p)), m]);
    }
    parts = parts.map(([p, g, m]) => [p, g, average(m, g, c.keep1, c.w1)]);
    square = o.mul(o.mul(c.w2, parts[0][1]), parts[0][1]);
    for (const [, g, ] of parts.slice(1)) {
      square = o.add(square, o.mul(o.mul(c.w2, g), g));
    }
    v = add_weighted(v, square, c.keep2, c.w2);
    [used, over_root] = [v, c.over_root];
    if (adam.amsgrad === 'uncorrected') {
      used = v_max = xp.maximum(v_max, v);
    } else {
      if (adam.amsgrad === 'corrected') {
        used = v_max = xp.maximum(v_max, (c.square === null ? v : o.div(v, c.square)));
        over_root = null;
      }
    }
    if (c.inside !== null) {
      used = o.add(used, c.inside);
    }
    denominator = xp.sqrt(used);
    if (over_root !== null) {
      denominator = o.mul(denominator, over_root);
    }
    if (c.outside !== null) {
      denominator = o.add(denominator, c.outside);
    }
    return [parts.map(([p, g, m]) => [move(xp, adam, c, p, g, m, denominator), m]), v, v_max];
  }
  function move(xp, adam, c, p, g, m, denominator) {
    let delta;
    if (c.step_g === null) {
      delta = o.mul(c.step_m, o.div(m, denominator));
    } else {
      delta = o.div(o.add(o.mul(c.step_m, m), o.mul(c.step_g, g)), denominator);
    }
    if ((adam.decay === 'l2' || c.decay === null)) {
      return o.sub(p, delta);
    }
    if (adam.decay_order === 'before') {
      if (adam.cautious_decay) {
        return o.sub(p, o.add(delta, o.mul(o.mul(c.decay, aligned(xp, p, delta)), p)));
      }
      return add_weighted(p, o.neg(delta), c.keep_p, c.decay);
    }
    p = o.sub(p, delta);
    if (adam.cautious_decay) {
      return o.sub(p, o.mul(o.mul(c.decay, aligned(xp, p, delta)), p));
    }
    return (c.keep_p === null ? o.sub(p, o.mul(c.decay, p)) : o.mul(c.keep_p, p));
  }
  function aligned(xp, p, delta) {
    let side;
    side = xp.sign(p);
    return o.mul(side, xp.sign(o.add(side, xp.sign(delta))));
  }
  return {coefficients, average, add_weighted, update, move, aligned};
}

const DATA = {
 "axes": {
  "epsilon": [
   {
    "value": "outside-corrected",
    "says": "eps stands beside the root of the corrected v: sqrt(v_hat) + eps",
    "rule": "EPS.1"
   },
   {
    "value": "outside-uncorrected",
    "says": "eps stands beside the root before v is corrected: (sqrt(v) + eps) / sqrt(1-b2**t)",
    "rule": "EPS.2"
   },
   {
    "value": "inside-corrected",
    "says": "eps stands under the root, beside the corrected v: sqrt(v_hat + eps)",
    "rule": "EPS.3"
   },
   {
    "value": "inside-uncorrected",
    "says": "eps stands under the root before v is corrected: sqrt((v + eps) / (1-b2**t))",
    "rule": "EPS.4"
   }
  ],
  "bias_correction": [
   {
    "value": "both",
    "says": "both moments are corrected",
    "rule": "BC.1"
   },
   {
    "value": "first",
    "says": "only the first moment is corrected",
    "rule": "BC.2"
   },
   {
    "value": "second",
    "says": "only the second moment is corrected",
    "rule": "BC.1"
   },
   {
    "value": "none",
    "says": "no moment is corrected",
    "rule": "BC.1"
   }
  ],
  "decay": [
   {
    "value": "l2",
    "says": "decay is L2: weight_decay*p is added to the gradient",
    "rule": "DEC.1"
   },
   {
    "value": "decoupled",
    "says": "decay is decoupled: p loses lr*weight_decay*p",
    "rule": "DEC.2"
   },
   {
    "value": "decoupled-unscaled",
    "says": "decay is decoupled and not multiplied by lr: p loses weight_decay*p",
    "rule": "DEC.3"
   },
   {
    "value": "decoupled-corrected",
    "says": "decay is decoupled and multiplied by the corrected lr: p loses lr*sqrt(1-b2**t)/(1-b1**t)*weight_decay*p",
    "rule": "DEC.4"
   },
   {
    "value": "decoupled-relative",
    "says": "decay is decoupled and relative to the largest lr: p loses lr/lr_max*weight_decay*p",
    "rule": "DEC.7"
   },
   {
    "value": "decoupled-squared",
    "says": "decay is decoupled and goes with lr twice: p loses lr*lr/lr_max*weight_decay*p",
    "rule": "DEC.8"
   }
  ],
  "decay_order": [
   {
    "value": "before",
    "says": "the parameter decays before the step",
    "rule": "DEC.5"
   },
   {
    "value": "after",
    "says": "the parameter decays after the step",
    "rule": "DEC.5"
   }
  ],
  "cautious_decay": [
   {
    "value": false,
    "says": "every element decays",
    "rule": "DEC.6"
   },
   {
    "value": true,
    "says": "only elements decay that the step does not move away from 0",
    "rule": "DEC.6"
   }
  ],
  "amsgrad": [
   {
    "value": "none",
    "says": "v itself stands under the root, no maximum",
    "rule": "AMS.1"
   },
   {
    "value": "uncorrected",
    "says": "the largest v stands under the root, corrected after the maximum",
    "rule": "AMS.1"
   },
   {
    "value": "corrected",
    "says": "the largest corrected v stands under the root",
    "rule": "AMS.2"
   }
  ],
  "nesterov": [
   {
    "value": "none",
    "says": "a step does not look ahead",
    "rule": "NES.1"
   },
   {
    "value": "dozat",
    "says": "a step looks ahead with Dozat's momentum schedule",
    "rule": "NES.1"
   },
   {
    "value": "optax",
    "says": "a step looks ahead, corrected for the step to come",
    "rule": "NES.2"
   },
   {
    "value": "same-t",
    "says": "a step looks ahead, with one correction for m and g",
    "rule": "NES.3"
   }
  ],
  "missing": [
   {
    "value": "skip",
    "says": "an absent gradient leaves its parameter, moments and clock as they are",
    "rule": "F1"
   },
   {
    "value": "zero",
    "says": "an absent gradient counts as a zero gradient",
    "rule": "F1"
   },
   {
    "value": "error",
    "says": "an absent gradient is an error",
    "rule": "F1"
   }
  ],
  "clock": [
   {
    "value": "per-parameter",
    "says": "each parameter has its own clock",
    "rule": "CLK.1"
   },
   {
    "value": "global",
    "says": "one clock serves all parameters",
    "rule": "CLK.1"
   }
  ],
  "all_missing": [
   {
    "value": "tick",
    "says": "the global clock ticks in a step without any gradient",
    "rule": "CLK.4"
   },
   {
    "value": "hold",
    "says": "the global clock holds in a step without any gradient",
    "rule": "CLK.4"
   },
   {
    "value": "error",
    "says": "a step without any gradient is an error",
    "rule": "CLK.4"
   }
  ],
  "maximize": [
   {
    "value": false,
    "says": "p goes down along the gradient",
    "rule": "MAX.1"
   },
   {
    "value": true,
    "says": "p goes up along the gradient",
    "rule": "MAX.1"
   }
  ]
 },
 "hyper": {
  "lr": 0.001,
  "b1": 0.9,
  "b2": 0.999,
  "eps": 1e-08,
  "eps_root": 0.0,
  "weight_decay": 0.0,
  "momentum_decay": 0.004,
  "lr_max": 0.0
 },
 "dialects": {
  "paper": {
   "axes": {},
   "defaults": {}
  },
  "paper.eps-hat": {
   "axes": {
    "epsilon": "outside-uncorrected"
   },
   "defaults": {}
  },
  "paper.AMSGrad": {
   "axes": {
    "bias_correction": "none",
    "amsgrad": "uncorrected"
   },
   "defaults": {
    "eps": 0.0
   }
  },
  "paper.AdamW": {
   "axes": {
    "decay": "decoupled-unscaled"
   },
   "defaults": {}
  },
  "paper.CautiousAdamW": {
   "axes": {
    "decay": "decoupled",
    "cautious_decay": true
   },
   "defaults": {}
  },
  "paper.AdamC": {
   "axes": {
    "decay": "decoupled-squared"
   },
   "defaults": {}
  },
  "torch.Adam": {
   "axes": {},
   "defaults": {}
  },
  "torch.AdamW": {
   "axes": {
    "decay": "decoupled"
   },
   "defaults": {
    "weight_decay": 0.01
   }
  },
  "torch.NAdam": {
   "axes": {
    "nesterov": "dozat"
   },
   "defaults": {
    "lr": 0.002
   }
  },
  "torch.SparseAdam": {
   "axes": {
    "epsilon": "outside-uncorrected"
   },
   "defaults": {}
  },
  "torch-1.2.Adam": {
   "axes": {
    "epsilon": "outside-uncorrected"
   },
   "defaults": {}
  },
  "timm.AdamW": {
   "axes": {
    "decay": "decoupled"
   },
   "defaults": {
    "weight_decay": 0.01
   }
  },
  "timm.NAdamW": {
   "axes": {
    "decay": "decoupled",
    "nesterov": "same-t"
   },
   "defaults": {
    "weight_decay": 0.01
   }
  },
  "optimi.Adam": {
   "axes": {
    "clock": "global",
    "all_missing": "tick"
   },
   "defaults": {
    "b2": 0.99,
    "eps": 1e-06
   }
  },
  "optimi.AdamW": {
   "axes": {
    "clock": "global",
    "all_missing": "tick",
    "decay": "decoupled"
   },
   "defaults": {
    "b2": 0.99,
    "eps": 1e-06,
    "weight_decay": 0.01
   }
  },
  "transformers4.AdamW": {
   "axes": {
    "epsilon": "outside-uncorrected",
    "decay": "decoupled",
    "decay_order": "after"
   },
   "defaults": {
    "eps": 1e-06
   }
  },
  "BertAdam": {
   "axes": {
    "bias_correction": "none",
    "decay": "decoupled"
   },
   "defaults": {
    "eps": 1e-06,
    "weight_decay": 0.01
   }
  },
  "fairseq.Adam": {
   "axes": {
    "epsilon": "outside-uncorrected",
    "decay": "decoupled"
   },
   "defaults": {}
  },
  "pyro.ClippedAdam": {
   "axes": {
    "epsilon": "outside-uncorrected"
   },
   "defaults": {}
  },
  "fastai.Adam": {
   "axes": {
    "decay": "decoupled"
   },
   "defaults": {
    "b2": 0.99,
    "eps": 1e-05,
    "weight_decay": 0.01
   }
  },
  "evotorch.adam": {
   "axes": {
    "missing": "error",
    "clock": "global",
    "all_missing": "error",
    "maximize": true
   },
   "defaults": {}
  },
  "apex.FusedAdam": {
   "axes": {
    "decay": "decoupled",
    "clock": "global",
    "all_missing": "tick"
   },
   "defaults": {}
  },
  "apex.contrib.FusedAdam": {
   "axes": {
    "epsilon": "outside-uncorrected",
    "decay": "decoupled-corrected"
   },
   "defaults": {}
  },
  "deepspeed.FusedAdam": {
   "axes": {
    "decay": "decoupled",
    "clock": "global",
    "all_missing": "hold"
   },
   "defaults": {}
  },
  "deepspeed.CPUAdam": {
   "axes": {
    "decay": "decoupled"
   },
   "defaults": {}
  },
  "transformer_engine.FusedAdam": {
   "axes": {
    "decay": "decoupled",
    "clock": "global",
    "all_missing": "tick"
   },
   "defaults": {}
  },
  "bitsandbytes.Adam": {
   "axes": {
    "decay": "decoupled"
   },
   "defaults": {}
  },
  "bitsandbytes.AdamW": {
   "axes": {
    "decay": "decoupled"
   },
   "defaults": {
    "weight_decay": 0.01
   }
  },
  "bitsandbytes-cuda.AdamW": {
   "axes": {
    "decay": "decoupled",
    "decay_order": "after"
   },
   "defaults": {
    "weight_decay": 0.01
   }
  },
  "torchopt.Adam": {
   "axes": {},
   "defaults": {}
  },
  "torchopt.AdamW": {
   "axes": {
    "decay": "decoupled"
   },
   "defaults": {
    "weight_decay": 0.01
   }
  },
  "torchao.Adam": {
   "axes": {},
   "defaults": {}
  },
  "torchao.AdamW": {
   "axes": {
    "decay": "decoupled"
   },
   "defaults": {
    "weight_decay": 0.01
   }
  },
  "flashoptim.FlashAdamW": {
   "axes": {
    "decay": "decoupled"
   },
   "defaults": {
    "weight_decay": 0.01
   }
  },
  "optax.adam": {
   "axes": {
    "missing": "error",
    "clock": "global",
    "all_missing": "error"
   },
   "defaults": {}
  },
  "optax.adamw": {
   "axes": {
    "missing": "error",
    "clock": "global",
    "all_missing": "error",
    "decay": "decoupled"
   },
   "defaults": {
    "weight_decay": 0.0001
   }
  },
  "optax.amsgrad": {
   "axes": {
    "missing": "error",
    "clock": "global",
    "all_missing": "error",
    "amsgrad": "corrected"
   },
   "defaults": {}
  },
  "optax.nadam": {
   "axes": {
    "missing": "error",
    "clock": "global",
    "all_missing": "error",
    "nesterov": "optax"
   },
   "defaults": {}
  },
  "optax.nadamw": {
   "axes": {
    "missing": "error",
    "clock": "global",
    "all_missing": "error",
    "decay": "decoupled",
    "nesterov": "optax"
   },
   "defaults": {
    "weight_decay": 0.0001
   }
  },
  "jax_example.adam": {
   "axes": {
    "missing": "error",
    "clock": "global",
    "all_missing": "error"
   },
   "defaults": {}
  },
  "numpyro.Adam": {
   "axes": {
    "missing": "error",
    "clock": "global",
    "all_missing": "error"
   },
   "defaults": {}
  },
  "brainpy.Adam": {
   "axes": {
    "epsilon": "outside-uncorrected",
    "missing": "error",
    "clock": "global",
    "all_missing": "error",
    "decay": "decoupled-unscaled"
   },
   "defaults": {}
  },
  "flax_legacy.Adam": {
   "axes": {
    "missing": "error",
    "clock": "global",
    "all_missing": "error",
    "decay": "decoupled"
   },
   "defaults": {}
  },
  "keras.Adam": {
   "axes": {
    "epsilon": "outside-uncorrected",
    "decay": "decoupled",
    "clock": "global",
    "all_missing": "error"
   },
   "defaults": {
    "eps": 1e-07
   }
  },
  "keras.AdamW": {
   "axes": {
    "epsilon": "outside-uncorrected",
    "decay": "decoupled",
    "clock": "global",
    "all_missing": "error"
   },
   "defaults": {
    "eps": 1e-07,
    "weight_decay": 0.004
   }
  },
  "keras.Nadam": {
   "axes": {
    "decay": "decoupled",
    "clock": "global",
    "all_missing": "error",
    "nesterov": "dozat"
   },
   "defaults": {
    "eps": 1e-07,
    "momentum_decay": 1.0
   }
  },
  "tf_keras.Adam": {
   "axes": {
    "epsilon": "outside-uncorrected",
    "decay": "decoupled",
    "clock": "global",
    "all_missing": "error"
   },
   "defaults": {
    "eps": 1e-07
   }
  },
  "tf_keras.legacy.Adam": {
   "axes": {
    "epsilon": "outside-uncorrected",
    "clock": "global",
    "all_missing": "error"
   },
   "defaults": {
    "eps": 1e-07
   }
  },
  "tf1.Adam": {
   "axes": {
    "epsilon": "outside-uncorrected",
    "clock": "global",
    "all_missing": "error"
   },
   "defaults": {}
  },
  "tfa.AdamW": {
   "axes": {
    "epsilon": "outside-uncorrected",
    "clock": "global",
    "all_missing": "error",
    "decay": "decoupled-unscaled"
   },
   "defaults": {
    "eps": 1e-07
   }
  },
  "transformers4.AdamWeightDecay": {
   "axes": {
    "epsilon": "outside-uncorrected",
    "decay": "decoupled",
    "clock": "global",
    "all_missing": "error"
   },
   "defaults": {
    "eps": 1e-07
   }
  },
  "sonnet.Adam": {
   "axes": {
    "clock": "global",
    "all_missing": "error"
   },
   "defaults": {}
  },
  "tfjs.Adam": {
   "axes": {
    "clock": "global",
    "all_missing": "tick"
   },
   "defaults": {
    "eps": 1e-07
   }
  },
  "mlx.Adam": {
   "axes": {
    "bias_correction": "none",
    "clock": "global",
    "all_missing": "tick"
   },
   "defaults": {}
  },
  "mlx.AdamW": {
   "axes": {
    "bias_correction": "none",
    "decay": "decoupled",
    "clock": "global",
    "all_missing": "tick"
   },
   "defaults": {
    "weight_decay": 0.01
   }
  },
  "tinygrad.Adam": {
   "axes": {
    "missing": "error",
    "clock": "global",
    "all_missing": "error"
   },
   "defaults": {}
  },
  "tinygrad.AdamW": {
   "axes": {
    "missing": "error",
    "clock": "global",
    "all_missing": "error",
    "decay": "decoupled"
   },
   "defaults": {
    "weight_decay": 0.01
   }
  },
  "paddle.Adam": {
   "axes": {},
   "defaults": {}
  },
  "paddle.AdamW": {
   "axes": {
    "decay": "decoupled"
   },
   "defaults": {
    "weight_decay": 0.01
   }
  },
  "mxnet.Adam": {
   "axes": {
    "epsilon": "outside-uncorrected"
   },
   "defaults": {}
  },
  "mxnet.AdamW": {
   "axes": {
    "epsilon": "outside-uncorrected",
    "decay": "decoupled-corrected"
   },
   "defaults": {
    "eps": 1e-06
   }
  },
  "chainer.Adam": {
   "axes": {
    "epsilon": "outside-uncorrected",
    "decay": "decoupled-unscaled",
    "missing": "zero"
   },
   "defaults": {}
  },
  "mindspore.Adam": {
   "axes": {
    "epsilon": "outside-uncorrected",
    "missing": "error",
    "clock": "global",
    "all_missing": "error"
   },
   "defaults": {}
  },
  "mindspore.AdamWeightDecay": {
   "axes": {
    "bias_correction": "none",
    "decay": "decoupled",
    "missing": "error",
    "clock": "global",
    "all_missing": "error"
   },
   "defaults": {
    "eps": 1e-06
   }
  },
  "onnx.Adam": {
   "axes": {
    "epsilon": "outside-uncorrected",
    "missing": "error",
    "clock": "global",
    "all_missing": "error"
   },
   "defaults": {
    "eps": 1e-06
   }
  },
  "onnxruntime.AdamW": {
   "axes": {
    "decay": "decoupled",
    "missing": "error",
    "clock": "global",
    "all_missing": "error"
   },
   "defaults": {
    "weight_decay": 0.01
   }
  },
  "sklearn.Adam": {
   "axes": {
    "epsilon": "outside-uncorrected",
    "missing": "error",
    "clock": "global",
    "all_missing": "error"
   },
   "defaults": {}
  },
  "autograd.adam": {
   "axes": {
    "missing": "error",
    "clock": "global",
    "all_missing": "error"
   },
   "defaults": {}
  },
  "thinc.Adam": {
   "axes": {
    "epsilon": "outside-uncorrected",
    "decay": "decoupled",
    "decay_order": "after"
   },
   "defaults": {}
  },
  "pennylane.Adam": {
   "axes": {
    "epsilon": "outside-uncorrected",
    "clock": "global",
    "all_missing": "tick"
   },
   "defaults": {
    "lr": 0.01,
    "b2": 0.99
   }
  },
  "qiskit.ADAM": {
   "axes": {
    "epsilon": "outside-uncorrected",
    "missing": "error",
    "clock": "global",
    "all_missing": "error"
   },
   "defaults": {
    "b2": 0.99
   }
  },
  "river.Adam": {
   "axes": {
    "epsilon": "outside-uncorrected",
    "clock": "global",
    "all_missing": "tick"
   },
   "defaults": {
    "lr": 0.1
   }
  },
  "river.AMSGrad": {
   "axes": {
    "epsilon": "outside-uncorrected",
    "clock": "global",
    "all_missing": "tick",
    "amsgrad": "uncorrected"
   },
   "defaults": {
    "lr": 0.1
   }
  },
  "climin.Adam": {
   "axes": {
    "missing": "error",
    "clock": "global",
    "all_missing": "error"
   },
   "defaults": {
    "lr": 0.0002
   }
  },
  "quimb.ADAM": {
   "axes": {
    "missing": "error",
    "clock": "global",
    "all_missing": "error"
   },
   "defaults": {}
  },
  "numpy_ml.Adam": {
   "axes": {},
   "defaults": {}
  },
  "drjit.Adam": {
   "axes": {
    "epsilon": "outside-uncorrected",
    "missing": "zero"
   },
   "defaults": {}
  },
  "warp.Adam": {
   "axes": {
    "missing": "error",
    "clock": "global",
    "all_missing": "error"
   },
   "defaults": {}
  },
  "tiny_dnn.Adam": {
   "axes": {
    "epsilon": "inside-corrected",
    "missing": "error",
    "clock": "global",
    "all_missing": "error"
   },
   "defaults": {}
  },
  "dlib.adam": {
   "axes": {
    "epsilon": "outside-uncorrected"
   },
   "defaults": {
    "weight_decay": 0.0005
   }
  },
  "toygrad.Adam": {
   "axes": {
    "missing": "error",
    "clock": "global",
    "all_missing": "error"
   },
   "defaults": {
    "lr": 0.01
   }
  },
  "brain_js.Adam": {
   "axes": {
    "missing": "error",
    "clock": "global",
    "all_missing": "error"
   },
   "defaults": {
    "lr": 0.3
   }
  },
  "js_pytorch.Adam": {
   "axes": {
    "bias_correction": "none",
    "decay": "decoupled",
    "missing": "error",
    "clock": "global",
    "all_missing": "error"
   },
   "defaults": {
    "b2": 0.99,
    "eps": 1e-09
   }
  },
  "ggml.AdamW": {
   "axes": {
    "missing": "error",
    "clock": "global",
    "all_missing": "error",
    "decay": "decoupled"
   },
   "defaults": {}
  },
  "llm.c.AdamW": {
   "axes": {
    "missing": "error",
    "clock": "global",
    "all_missing": "error",
    "decay": "decoupled"
   },
   "defaults": {
    "b2": 0.95
   }
  },
  "candle.AdamW": {
   "axes": {
    "clock": "global",
    "all_missing": "tick",
    "decay": "decoupled"
   },
   "defaults": {
    "weight_decay": 0.01
   }
  },
  "burn.Adam": {
   "axes": {},
   "defaults": {
    "eps": 1e-05
   }
  },
  "burn.AdamW": {
   "axes": {
    "decay": "decoupled"
   },
   "defaults": {
    "eps": 1e-05,
    "weight_decay": 0.0001
   }
  },
  "optimisers_jl.Adam": {
   "axes": {},
   "defaults": {}
  },
  "optimisers_jl.AdamW": {
   "axes": {
    "decay": "decoupled"
   },
   "defaults": {}
  }
 }
};

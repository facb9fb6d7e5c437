"""The table of known implementations of Adam, the dialects: one row for each.

A row states what an implementation computes, as its source code or documentation says; ``source``
names the place.  What a row leaves out has the value of the paper's Algorithm 1, which is the
default of :class:`adamcore.Adam`.  If something is not known, the row leaves it out and ``source``
says so.

* ``missing="error"`` is also the value of an interface in which a gradient cannot be absent.
* ``clock="global"`` is also the value of a counter that the parameters of one group share.
* ``all_missing`` is given only with a global clock, since it says whether that clock ticks.
* ``coefficients`` describes a candidate of the conformance suite (NUM.4).  "working" includes an
  implementation that rounds b to the working precision before it forms ``1 - b**t``.
"""

from __future__ import annotations

import ast
import difflib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from adamcore.adam import Adam
from adamcore.axes import AXES, RELATIVE
from adamcore.config import HYPERPARAMETERS, MOMENT_DTYPES
from adamcore.errors import DialectError, HyperparameterError

REQUIRED = None  #: stands for the default of a hyperparameter that has none


@dataclass(frozen=True, eq=False)
class Dialect:
    """One known implementation, as a value on every axis.

    Attributes:
        name: library and class: "torch.AdamW".
        axes: the axes on which the implementation differs from Algorithm 1.
        defaults: the hyperparameters whose defaults differ from Algorithm 1's; None means that the
            implementation has no default and requires the hyperparameter.
        hyper: adamcore's name -> the implementation's name, for each hyperparameter that its
            constructor accepts.
        state: "t", "m", "v", "v_max" -> the implementation's name, for each that it keeps.
        options: constructor arguments as they are written -> the axes that they change.
        targets: import paths of the classes or factories that the row describes.
        outside: what the implementation can do besides Adam; the row describes it without that.
        source: where this was read.

    Example:
        >>> dialect("torch.AdamW").axes
        {'decay': 'decoupled'}
    """

    name: str
    axes: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, float | None] = field(default_factory=dict)
    hyper: Mapping[str, str] = field(default_factory=dict)
    state: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    targets: tuple[str, ...] = ()
    outside: str = ""
    source: str = ""

    def adam(self, **overrides: Any) -> Adam:
        """Return the Adam with this row's axes and defaults; ``overrides`` replace any of them.

        Raises:
            HyperparameterError: a required hyperparameter is not given.
            TypeError: there is no such field; the message has the name of ours.

        >>> dialect("torch.AdamW").adam(betas=(0.9, 0.99))
        Traceback (most recent call last):
        ...
        TypeError: adamcore.Adam has no 'betas': give b1 and b2, for which torch.AdamW has betas
        """
        for name in overrides.keys() - Adam.__dataclass_fields__.keys():
            raise TypeError(f"adamcore.Adam has no {name!r}: {self.ours(name)}")
        given = {**self.defaults, **self.axes, **overrides}
        lacking = [n for n, value in given.items() if value is REQUIRED and n not in MOMENT_DTYPES]
        if lacking:
            raise HyperparameterError(
                f"{self.name} has no default for {' and '.join(lacking)}: "
                f"give {', '.join(f'{name}=...' for name in lacking)}"
            )
        return Adam(**given)

    def default(self, name: str) -> float | None:
        """Return the implementation's default of a hyperparameter, or None if it requires a value.

        >>> dialect("torch.AdamW").default("weight_decay"), dialect("torch.AdamW").default("b1")
        (0.01, 0.9)
        """
        value = self.defaults.get(name, getattr(Adam(), name))
        return None if value is None else float(value)

    def ours(self, name: str) -> str:
        """Return what to give in place of an argument of the implementation, for a message."""
        fields = [ours for ours, theirs in self.hyper.items() if theirs.partition("[")[0] == name]
        if fields:
            return f"give {' and '.join(fields)}, for which {self.name} has {name}"
        near = difflib.get_close_matches(name, Adam.__dataclass_fields__, n=3, cutoff=0.5)
        return f"nearest: {', '.join(near)}" if near else "help(adamcore.Adam) has its fields"

    def arguments(self, adam: Adam) -> dict[str, Any]:
        """Return the keyword arguments with which the implementation's constructor makes ``adam``.

        Raises:
            DialectError: the constructor has no argument for a value that ``adam`` has.

        Example:
            >>> dialect("torch.Adam").arguments(Adam(lr=0.1, amsgrad="uncorrected"))
            {'lr': 0.1, 'betas': (0.9, 0.999), 'eps': 1e-08, 'weight_decay': 0.0, 'amsgrad': True}
        """
        base = self.adam(**{n: getattr(adam, n) for n, v in self.defaults.items() if v is REQUIRED})
        found: dict[str, Any] = {}
        for ours, theirs in self.hyper.items():
            name, indexed, _ = theirs.partition("[")
            value = getattr(adam, ours)
            found[name] = (*found.get(name, ()), value) if indexed else value
        open_axes = {name for name in AXES if getattr(adam, name) != getattr(base, name)}
        for option, effect in self.options.items():
            if open_axes & effect.keys() and all(getattr(adam, a) == value for a, value in effect.items()):
                found.update(parse_option(option))
                open_axes -= effect.keys()
        fixed = [n for n in HYPERPARAMETERS if n not in self.hyper and getattr(adam, n) != getattr(base, n)]
        if adam.decay not in RELATIVE or adam.lr_max == adam.lr:  # which is what lr_max is if it is not given
            fixed = [n for n in fixed if n != "lr_max"]
        lacking = [f"{name}={getattr(adam, name)!r}" for name in (*fixed, *sorted(open_axes))]
        if lacking:
            raise DialectError(f"{self.name} has no argument for {', '.join(lacking)}")
        return found


def parse_option(option: str) -> dict[str, Any]:
    """Return the arguments that a key of ``options`` stands for.

    >>> parse_option("bias_correction=False")
    {'bias_correction': False}
    """
    pairs = (part.split("=") for part in option.split(", "))
    return {name: ast.literal_eval(value) for name, value in pairs}


def dialect(name: str) -> Dialect:
    """Return the row of this name.

    Raises:
        DialectError: there is no such row; the message lists the nearest names.

    >>> dialect("torch.adamw")
    Traceback (most recent call last):
    ...
    adamcore.errors.DialectError: no dialect 'torch.adamw'; nearest: torch.AdamW, torch.Adam, torchao.AdamW
    """
    if name in DIALECTS:
        return DIALECTS[name]
    by_fold = {known.casefold(): known for known in DIALECTS}
    near = difflib.get_close_matches(str(name).casefold(), list(by_fold), n=3, cutoff=0.5)
    hint = f"nearest: {', '.join(by_fold[n] for n in near)}" if near else "`adamcore dialects` lists all"
    raise DialectError(f"no dialect {name!r}; {hint}")


def like(name: str, **overrides: Any) -> Adam:
    """Return the Adam of a dialect, with the dialect's defaults; ``overrides`` replace any of its fields.

    Raises:
        DialectError: there is no such dialect.
        HyperparameterError: a hyperparameter that the dialect requires is not given.

    >>> like("keras.Adam").eps
    1e-07
    >>> like("optax.adamw")
    Traceback (most recent call last):
    ...
    adamcore.errors.HyperparameterError: optax.adamw has no default for lr: give lr=...
    """
    return dialect(name).adam(**overrides)


def for_target(path: str) -> Dialect | None:
    """Return the row of the class or factory at an import path; None if there is none.

    >>> for_target("optax:adamw").name
    'optax.adamw'
    """
    return next((row for row in ROWS if path in row.targets), None)


def for_class(kind: type) -> Dialect | None:
    """Return the row of a class, but for no base of it; None if there is none.

    Nothing is imported: a module that is not there yet has no class.

    >>> for_class(Adam) is None
    True
    """
    for row in ROWS:
        for target in row.targets:
            module, _, attribute = target.partition(":")
            if getattr(sys.modules.get(module), attribute, None) is kind:
                return row
    return None


# How the rows are written ----------------------------------------------------------------------


def hyper(names: str, **more: str) -> dict[str, str]:
    """Return ``Dialect.hyper`` from the names of lr, b1, b2, eps, weight_decay; "-" for one that it lacks."""
    ours = ("lr", "b1", "b2", "eps", "weight_decay")
    return {o: theirs for o, theirs in zip(ours, names.split(), strict=True) if theirs != "-"} | more


def state(names: str) -> dict[str, str]:
    """Return ``Dialect.state`` from the names of t, m, v and v_max; "-" for one that is not kept."""
    return {o: n for o, n in zip(("t", "m", "v", "v_max"), names.split(), strict=True) if n != "-"}


Options = dict[str, Mapping[str, Any]]

EPS_HAT = {"epsilon": "outside-uncorrected"}
DECOUPLED = {"decay": "decoupled"}
L2 = {"decay": "l2"}
NO_CORRECTION = {"bias_correction": "none"}
WORKING = {"coefficients": "working"}
RUNNING = {"coefficients": "running"}
SKIPS = {"clock": "global", "all_missing": "tick"}  # one clock, absent leaves skipped
REFUSES_NONE_AT_ALL = {"clock": "global", "all_missing": "error"}
REFUSES_ABSENT = {"missing": "error", "clock": "global", "all_missing": "error"}

AMSGRAD: Options = {"amsgrad=True": {"amsgrad": "uncorrected"}}
MAXIMIZE: Options = {"maximize=True": {"maximize": True}}
CORRECTED: Options = {"corrected_weight_decay=True": {"decay": "decoupled-squared"}}  # lr_max is the first lr
UNBIASED: Options = {"bias_correction=False": NO_CORRECTION}

TORCH = hyper("lr betas[0] betas[1] eps weight_decay")
EXP_AVG = state("step exp_avg exp_avg_sq -")
TORCH_STATE = EXP_AVG | {"v_max": "max_exp_avg_sq"}
OPTAX = REFUSES_ABSENT | WORKING | {"complex": "modulus"}
OPTAX_HYPER = hyper("learning_rate b1 b2 eps -", eps_root="eps_root")
OPTAX_STATE = state("count mu nu -")
KERAS = DECOUPLED | REFUSES_NONE_AT_ALL | WORKING
KERAS_HYPER = hyper("learning_rate beta_1 beta_2 epsilon weight_decay")
KERAS_STATE = state("iterations momentum velocity velocity_hat")

# The columns: name, axes, defaults, names of hyperparameters, names of the state, options.
# fmt: off
ROWS: tuple[Dialect, ...] = (
    # The papers
    Dialect("paper", {}, {}, hyper("alpha beta1 beta2 epsilon -"), state("t m v -"),
        source="Kingma and Ba 2015, Algorithm 1"),
    Dialect("paper.eps-hat", EPS_HAT, {}, hyper("alpha beta1 beta2 epsilon_hat -"), state("t m v -"),
        source="Kingma and Ba 2015, end of section 2"),
    Dialect("paper.AMSGrad", NO_CORRECTION | {"amsgrad": "uncorrected"}, {"lr": REQUIRED, "eps": 0.0},
        hyper("alpha beta1 beta2 - -"), state("t m v v_hat"),
        source="Reddi, Kale and Kumar 2018, Algorithm 2; it names no defaults, b1 and b2 are Adam's"),
    Dialect("paper.AdamW", {"decay": "decoupled-unscaled"}, {"weight_decay": REQUIRED},
        hyper("alpha beta1 beta2 epsilon lambda"), state("t m v -"),
        outside="the schedule multiplier eta_t, here 1; it would multiply the decay too",
        source="Loshchilov and Hutter 2019, Algorithm 2"),
    Dialect("paper.CautiousAdamW", {"decay": "decoupled", "cautious_decay": True}, {"weight_decay": REQUIRED},
        hyper("eta beta1 beta2 epsilon lambda"), state("t m v -"),
        source="Chen, Li, Liang and others 2025 (arXiv 2510.12402), Algorithm 1 over AdamW"),
    Dialect("paper.AdamC", {"decay": "decoupled-squared"}, {"weight_decay": REQUIRED},
        hyper("gamma beta1 beta2 epsilon lambda", lr_max="gamma_max"), state("t m v -"),
        source="Defazio 2025 (arXiv 2506.02285), Algorithm 1, for the layers that are normalized"),
    # PyTorch and what follows its interface
    Dialect("torch.Adam", {}, {}, TORCH, TORCH_STATE,
        AMSGRAD | MAXIMIZE | {"decoupled_weight_decay=True": DECOUPLED},
        targets=("torch.optim:Adam", "torch.optim.adam:Adam"),
        source="torch/optim/adam.py, 2.13; capturable=True forms its coefficients in float32"),
    Dialect("torch.AdamW", DECOUPLED, {"weight_decay": 1e-2}, TORCH, TORCH_STATE, AMSGRAD | MAXIMIZE,
        targets=("torch.optim:AdamW", "torch.optim.adamw:AdamW"), source="torch/optim/adamw.py, 2.13"),
    Dialect("torch.NAdam", {"nesterov": "dozat"} | RUNNING, {"lr": 2e-3},
        TORCH | {"momentum_decay": "momentum_decay"},
        EXP_AVG | {"mu_product": "mu_product"},
        MAXIMIZE | {"decoupled_weight_decay=True": DECOUPLED},
        targets=("torch.optim:NAdam", "torch.optim.nadam:NAdam"),
        source="torch/optim/nadam.py, 2.13; only mu_product runs, the rest is formed in double"),
    Dialect("torch.SparseAdam", EPS_HAT, {}, hyper("lr betas[0] betas[1] eps -"),
        EXP_AVG, MAXIMIZE,
        targets=("torch.optim:SparseAdam", "torch.optim.sparse_adam:SparseAdam"),
        outside="sparse gradients only: rows that are not stored stand still, the clock is the tensor's",
        source="torch/optim/sparse_adam.py, 2.13"),
    Dialect("torch-1.2.Adam", EPS_HAT, {}, TORCH, TORCH_STATE, AMSGRAD,
        source="PyTorch up to 1.2; changed by pull requests 22628 and 23737"),
    Dialect("timm.AdamW", DECOUPLED, {"weight_decay": 1e-2}, TORCH, TORCH_STATE,
        AMSGRAD | MAXIMIZE | CORRECTED,
        targets=("timm.optim:AdamWLegacy", "timm.optim.adamw:AdamWLegacy"),
        outside="caution, which masks the step", source="timm/optim/adamw.py, 1.0.31"),
    Dialect("timm.NAdamW", DECOUPLED | {"nesterov": "same-t"}, {"weight_decay": 1e-2}, TORCH,
        EXP_AVG, MAXIMIZE | CORRECTED,
        targets=("timm.optim:NAdamW", "timm.optim.nadamw:NAdamW"),
        outside="caution, which masks the step", source="timm/optim/nadamw.py, 1.0.31"),
    Dialect("optimi.Adam", SKIPS, {"lr": REQUIRED, "b2": 0.99, "eps": 1e-6}, TORCH,
        {}, {"decouple_wd=True": DECOUPLED},
        targets=("optimi:Adam", "optimi.adam:Adam"),
        outside="moments averaged with corrected betas and kept so; Kahan summation in 16 bits; decouple_lr",
        source="optimi/adam.py, 0.3.3; the clock is the group's"),
    Dialect("optimi.AdamW", SKIPS | DECOUPLED,
        {"lr": REQUIRED, "b2": 0.99, "eps": 1e-6, "weight_decay": 1e-2}, TORCH,
        targets=("optimi:AdamW", "optimi.adamw:AdamW"),
        outside="moments averaged with corrected betas and kept so; Kahan summation in 16 bits; decouple_lr",
        source="optimi/adamw.py and adam.py, 0.3.3; the clock is the group's"),
    Dialect("transformers4.AdamW", EPS_HAT | DECOUPLED | {"decay_order": "after"}, {"eps": 1e-6}, TORCH,
        EXP_AVG, {"correct_bias=False": NO_CORRECTION},
        targets=("transformers:AdamW", "transformers.optimization:AdamW"),
        source="transformers/optimization.py, 4.40; removed since"),
    Dialect("BertAdam", NO_CORRECTION | DECOUPLED, {"lr": REQUIRED, "eps": 1e-6, "weight_decay": 1e-2},
        hyper("lr b1 b2 e weight_decay"), state("step next_m next_v -"),
        targets=("pytorch_pretrained_bert:BertAdam", "pytorch_pretrained_bert.optimization:BertAdam"),
        outside="clips each gradient to norm 1 (max_grad_norm=-1: off); a schedule that sees t from 0",
        source="pytorch_pretrained_bert/optimization.py, 0.6.2"),
    Dialect("fairseq.Adam", EPS_HAT | DECOUPLED, {}, TORCH, TORCH_STATE, AMSGRAD,
        targets=("fairseq.optim.adam:Adam",),
        source="fairseq/optim/adam.py: decoupled in spite of its name"),
    Dialect("pyro.ClippedAdam", EPS_HAT, {}, TORCH, EXP_AVG,
        targets=("pyro.optim.clipped_adam:ClippedAdam",),
        outside="clips each element to clip_norm=10; lr times lrd=1 before every step; centered_variance",
        source="pyro/optim/clipped_adam.py, 1.9.2"),
    Dialect("fastai.Adam", DECOUPLED, {"lr": REQUIRED, "b2": 0.99, "eps": 1e-5, "weight_decay": 1e-2},
        hyper("lr mom sqr_mom eps wd"), state("step grad_avg sqr_avg -"),
        {"decouple_wd=False": {"decay": "l2"}}, targets=("fastai.optimizer:Adam",),
        source="fastai/optimizer.py, 2.8"),
    Dialect("evotorch.adam", REFUSES_ABSENT | WORKING | {"maximize": True}, {},
        hyper("center_learning_rate beta1 beta2 epsilon -"), state("t m v -"),
        targets=("evotorch.algorithms.functional.funcadam:adam",),
        outside="the clock is kept in the parameter's dtype",
        source="evotorch/algorithms/functional/funcadam.py, 0.6.1"),
    Dialect("apex.FusedAdam", DECOUPLED | SKIPS | WORKING, {}, TORCH, EXP_AVG,
        {"adam_w_mode=False": L2} | UNBIASED,
        targets=("apex.optimizers:FusedAdam",),
        outside="capturable=True skips a step that overflowed; amsgrad=True raises",
        source="apex/optimizers/fused_adam.py, csrc/multi_tensor_adam.cu"),
    Dialect("apex.contrib.FusedAdam", EPS_HAT | {"decay": "decoupled-corrected"}, {}, TORCH,
        EXP_AVG,
        {"eps_inside_sqrt=True": {"epsilon": "inside-uncorrected"}} | UNBIASED,
        targets=("apex.contrib.optimizers:FusedAdam",),
        outside="max_grad_norm=0 (off); divides gradients by a scale",
        source="apex/contrib/optimizers/fused_adam.py; precision of its coefficients unknown"),
    Dialect("deepspeed.FusedAdam", DECOUPLED | WORKING | {"clock": "global", "all_missing": "hold"}, {},
        TORCH, EXP_AVG, {"adam_w_mode=False": L2} | UNBIASED,
        targets=("deepspeed.ops.adam:FusedAdam",),
        outside="advances the clock of the last present parameter alone and uses it for all of a dtype",
        source="deepspeed/ops/adam/fused_adam.py; the clock is the subject of pull request 8471"),
    Dialect("deepspeed.CPUAdam", DECOUPLED | RUNNING, {}, TORCH, EXP_AVG,
        {"adamw_mode=False": L2} | UNBIASED,
        targets=("deepspeed.ops.adam:DeepSpeedCPUAdam",),
        outside="one product of powers for all parameters, formed anew where t jumps",
        source="deepspeed/ops/adam/cpu_adam.py, csrc/includes/cpu_adam.h"),
    Dialect("transformer_engine.FusedAdam", DECOUPLED | SKIPS | WORKING, {}, TORCH,
        EXP_AVG, {"adam_w_mode=False": L2} | UNBIASED,
        targets=("transformer_engine.pytorch.optimizers:FusedAdam",),
        outside="float16, bfloat16 and scaled float8 moments; capturable=True skips overflow",
        source="transformer_engine/pytorch/optimizers/fused_adam.py; its decay order as Apex's"),
    Dialect("bitsandbytes.Adam", DECOUPLED | WORKING, {}, TORCH, state("step state1 state2 -"),
        targets=("bitsandbytes.optim:Adam", "bitsandbytes.optim:Adam32bit", "bitsandbytes.optim:Adam8bit"),
        outside="skip_zeros, percentile_clipping, max_unorm; 8-bit moments; amsgrad is ignored",
        source="bitsandbytes/backends/default/ops.py: on the CPU and in Triton; decoupled"),
    Dialect("bitsandbytes.AdamW", DECOUPLED | WORKING, {"weight_decay": 1e-2}, TORCH,
        state("step state1 state2 -"),
        targets=("bitsandbytes.optim:AdamW", "bitsandbytes.optim:AdamW32bit", "bitsandbytes.optim:AdamW8bit"),
        outside="skip_zeros, percentile_clipping, max_unorm; 8-bit moments; amsgrad is ignored",
        source="bitsandbytes/backends/default/ops.py: on the CPU and in Triton"),
    Dialect("bitsandbytes-cuda.AdamW", DECOUPLED | WORKING | {"decay_order": "after"},
        {"weight_decay": 1e-2}, TORCH, state("step state1 state2 -"),
        outside="as bitsandbytes.AdamW; Adam is the same with weight_decay=0 by default",
        source="bitsandbytes csrc/kernels.cu; issue 2010"),
    Dialect("torchopt.Adam", WORKING, {}, TORCH, state("count mu nu -"), MAXIMIZE,
        targets=("torchopt:Adam",), outside="its coefficients are float32 for float64 parameters too",
        source="torchopt/transform/scale_by_adam.py, 0.7.3"),
    Dialect("torchopt.AdamW", WORKING | DECOUPLED, {"weight_decay": 1e-2}, TORCH, state("count mu nu -"),
        MAXIMIZE, targets=("torchopt:AdamW",),
        outside="mask; its coefficients are float32 for float64 parameters too",
        source="torchopt/alias/adamw.py and transform/scale_by_adam.py, 0.7.3"),
    Dialect("torchao.Adam", WORKING, {}, TORCH, TORCH_STATE, AMSGRAD,
        targets=("torchao.optim:Adam8bit", "torchao.optim:Adam4bit", "torchao.optim:AdamFp8"),
        outside="moments of 4096 and more elements quantized; bf16_stochastic_round",
        source="torchao/optim/adam.py; its clock has the default dtype"),
    Dialect("torchao.AdamW", DECOUPLED | WORKING, {"weight_decay": 1e-2}, TORCH, TORCH_STATE, AMSGRAD,
        targets=("torchao.optim:_AdamW", "torchao.optim:AdamW8bit", "torchao.optim:AdamW4bit",
                 "torchao.optim:AdamWFp8"),
        outside="moments of 4096 and more elements quantized; bf16_stochastic_round",
        source="torchao/optim/adam.py; its clock has the default dtype"),
    Dialect("flashoptim.FlashAdamW", DECOUPLED | WORKING, {"weight_decay": 1e-2}, TORCH, EXP_AVG,
        {"decouple_lr=True": {"decay": "decoupled-relative"}},  # lr_max is the first lr
        targets=("flashoptim:FlashAdamW",),
        outside="moments in 8 bits (quantize=False: as they are), parameters in 16 bits and their errors",
        source="flashoptim/optimizers.py, 0.1.4: its step without kernels"),
    # JAX
    Dialect("optax.adam", OPTAX, {"lr": REQUIRED}, OPTAX_HYPER, OPTAX_STATE,
        {"nesterov=True": {"nesterov": "optax"}},
        targets=("optax:adam",), outside="mu_dtype, to which b1*m is rounded as well",
        source="optax/_src/alias.py and transform.py, 0.2.8; a schedule sees t from 0"),
    Dialect("optax.adamw", OPTAX | DECOUPLED, {"lr": REQUIRED, "weight_decay": 1e-4},
        OPTAX_HYPER | {"weight_decay": "weight_decay"}, OPTAX_STATE,
        {"nesterov=True": {"nesterov": "optax"}},
        targets=("optax:adamw",), outside="mask; mu_dtype as optax.adam",
        source="optax/_src/alias.py and transform.py, 0.2.8; schedules of lr and weight_decay see t from 0"),
    Dialect("optax.amsgrad", OPTAX | {"amsgrad": "corrected"}, {"lr": REQUIRED}, OPTAX_HYPER,
        state("count mu nu nu_max"),
        {"bias_correction_mu=False": {"bias_correction": "second"},
         "bias_correction_nu=False": {"bias_correction": "first"},
         "bias_correction_mu=False, bias_correction_nu=False": NO_CORRECTION},
        targets=("optax:amsgrad",), source="optax/_src/alias.py and transform.py, 0.2.8"),
    Dialect("optax.nadam", OPTAX | {"nesterov": "optax"}, {"lr": REQUIRED}, OPTAX_HYPER, OPTAX_STATE,
        {"nesterov=False": {"nesterov": "none"}},
        targets=("optax:nadam",), source="optax/_src/alias.py, 0.2.8"),
    Dialect("optax.nadamw", OPTAX | DECOUPLED | {"nesterov": "optax"},
        {"lr": REQUIRED, "weight_decay": 1e-4}, OPTAX_HYPER | {"weight_decay": "weight_decay"}, OPTAX_STATE,
        {"nesterov=False": {"nesterov": "none"}},
        targets=("optax:nadamw",), outside="mask",
        source="optax/_src/alias.py, 0.2.8; schedules of lr and weight_decay see t from 0"),
    Dialect("jax_example.adam", REFUSES_ABSENT | WORKING, {"lr": REQUIRED}, hyper("step_size b1 b2 eps -"),
        state("i m v -"),
        targets=("jax.example_libraries.optimizers:adam",),
        outside="the caller passes the clock, from 0; g*g of a complex gradient, without conjugate",
        source="jax/example_libraries/optimizers.py"),
    Dialect("numpyro.Adam", REFUSES_ABSENT | WORKING, {"lr": REQUIRED}, hyper("step_size b1 b2 eps -"),
        state("i m v -"),
        targets=("numpyro.optim:Adam",),
        outside="ClippedAdam clips each element to 10; eval_and_stable_update skips non-finite losses",
        source="numpyro/optim.py"),
    Dialect("brainpy.Adam", EPS_HAT | WORKING | REFUSES_ABSENT | {"decay": "decoupled-unscaled"},
        {"lr": REQUIRED}, hyper("lr beta1 beta2 eps weight_decay"), state("step m v -"),
        targets=("brainpy.optim:Adam",), outside="a scheduler of lr",
        source="brainpy/optim/optimizer.py, 2.8.2"),
    Dialect("flax_legacy.Adam", REFUSES_ABSENT | DECOUPLED | WORKING, {"lr": REQUIRED},
        hyper("learning_rate beta1 beta2 eps weight_decay"), state("step grad_ema grad_sq_ema -"),
        targets=("flax.optim:Adam",),
        outside="the clock is cast to the parameter's dtype; g*g of a complex gradient, without conjugate",
        source="flax/optim/adam.py, 0.5.3; removed in 0.6"),
    # Keras and TensorFlow
    Dialect("keras.Adam", EPS_HAT | KERAS, {"eps": 1e-7}, KERAS_HYPER, KERAS_STATE, AMSGRAD,
        targets=("keras.optimizers:Adam", "keras.src.optimizers.adam:Adam"),
        source="keras/src/optimizers/adam.py and base_optimizer.py, 3.15"),
    Dialect("keras.AdamW", EPS_HAT | KERAS, {"eps": 1e-7, "weight_decay": 4e-3},
        KERAS_HYPER, KERAS_STATE, AMSGRAD,
        targets=("keras.optimizers:AdamW", "keras.src.optimizers.adamw:AdamW"),
        source="keras/src/optimizers/adamw.py, 3.15"),
    Dialect("keras.Nadam", KERAS | RUNNING | {"nesterov": "dozat"},
        {"eps": 1e-7, "momentum_decay": 1.0}, KERAS_HYPER,
        state("iterations momentum velocity -") | {"mu_product": "_u_product"},
        targets=("keras.optimizers:Nadam", "keras.src.optimizers.nadam:Nadam"),
        source="keras/src/optimizers/nadam.py, 3.15; epsilon unlike keras.Adam"),
    Dialect("tf_keras.Adam", EPS_HAT | KERAS, {"eps": 1e-7}, KERAS_HYPER, KERAS_STATE,
        AMSGRAD | {"adaptive_epsilon=True": {"epsilon": "outside-corrected"}},
        targets=("tf_keras.optimizers:Adam",),
        source="tf_keras/src/optimizers/adam.py, 2.21; adaptive_epsilon is lost by get_config"),
    Dialect("tf_keras.legacy.Adam", EPS_HAT | REFUSES_NONE_AT_ALL | WORKING, {"eps": 1e-7},
        hyper("learning_rate beta_1 beta_2 epsilon -"), state("iterations m v vhat"), AMSGRAD,
        targets=("tf_keras.optimizers.legacy:Adam",),
        source="tf_keras/src/optimizers/legacy/adam.py; takes epsilon=0 for 1e-7"),
    Dialect("tf1.Adam", EPS_HAT | REFUSES_NONE_AT_ALL | RUNNING, {},
        hyper("learning_rate beta1 beta2 epsilon -"), state("beta2_power m v -"),
        targets=("tensorflow.compat.v1.train:AdamOptimizer",),
        outside="its clock is b**(t+1), from b on; use_nesterov in the kernel",
        source="tensorflow/python/training/adam.py"),
    Dialect("tfa.AdamW", EPS_HAT | REFUSES_NONE_AT_ALL | WORKING | {"decay": "decoupled-unscaled"},
        {"eps": 1e-7, "weight_decay": REQUIRED}, KERAS_HYPER, state("iterations m v vhat"), AMSGRAD,
        targets=("tensorflow_addons.optimizers:AdamW",),
        outside="of a sparse gradient's variable only the stored rows decay",
        source="tensorflow_addons/optimizers/weight_decay_optimizers.py"),
    Dialect("transformers4.AdamWeightDecay", EPS_HAT | KERAS, {"eps": 1e-7},
        hyper("learning_rate beta_1 beta_2 epsilon weight_decay_rate"), state("iterations m v vhat"),
        AMSGRAD,
        targets=("transformers.optimization_tf:AdamWeightDecay",), outside="decays by patterns of names",
        source="transformers/optimization_tf.py, 4.40"),
    Dialect("sonnet.Adam", REFUSES_NONE_AT_ALL | WORKING, {}, hyper("learning_rate beta1 beta2 epsilon -"),
        state("step m v -"), targets=("sonnet.optimizers:Adam",),
        source="sonnet/src/optimizers/adam.py, 2.0.2"),
    Dialect("tfjs.Adam", SKIPS | RUNNING, {"lr": REQUIRED, "eps": 1e-7},
        hyper("learningRate beta1 beta2 epsilon -"), state("iterations m v -"),
        source="tfjs-core/src/optimizers/adam_optimizer.ts; eps 1e-4 on a float16 backend"),
    # Other array libraries
    Dialect("mlx.Adam", NO_CORRECTION | WORKING | SKIPS, {"lr": REQUIRED},
        hyper("learning_rate betas[0] betas[1] eps -"), state("step m v -"),
        {"bias_correction=True": {"bias_correction": "both"}},
        targets=("mlx.optimizers:Adam",),
        source="mlx/optimizers/optimizers.py, 0.32; a schedule sees t from 0"),
    Dialect("mlx.AdamW", NO_CORRECTION | WORKING | DECOUPLED | SKIPS,
        {"lr": REQUIRED, "weight_decay": 1e-2}, hyper("learning_rate betas[0] betas[1] eps weight_decay"),
        state("step m v -"), {"bias_correction=True": {"bias_correction": "both"}},
        targets=("mlx.optimizers:AdamW",),
        source="mlx/optimizers/optimizers.py, 0.32; a schedule sees t from 0"),
    Dialect("tinygrad.Adam", REFUSES_ABSENT | RUNNING, {}, hyper("lr b1 b2 eps -"), state("b2_t m v -"),
        targets=("tinygrad.nn.optim:Adam",),
        source="tinygrad/nn/optim.py, 0.14; keeps b1**t and b2**t, no t"),
    Dialect("tinygrad.AdamW", REFUSES_ABSENT | RUNNING | DECOUPLED, {"weight_decay": 1e-2},
        hyper("lr b1 b2 eps weight_decay"), state("b2_t m v -"),
        targets=("tinygrad.nn.optim:AdamW",),
        source="tinygrad/nn/optim.py, 0.14; keeps b1**t and b2**t, no t"),
    Dialect("paddle.Adam", RUNNING, {}, hyper("learning_rate beta1 beta2 epsilon weight_decay"),
        state("beta2_pow_acc moment1 moment2 moment2_max"), AMSGRAD,
        targets=("paddle.optimizer:Adam",),
        outside="lazy_mode for sparse rows; its clock is b**(t+1), from b on",
        source="paddle/phi/kernels/funcs/adam_functors.h; its documentation states eps-hat"),
    Dialect("paddle.AdamW", RUNNING | DECOUPLED, {"weight_decay": 1e-2},
        hyper("learning_rate beta1 beta2 epsilon weight_decay"),
        state("beta2_pow_acc moment1 moment2 moment2_max"), AMSGRAD,
        targets=("paddle.optimizer:AdamW",), outside="lr_ratio, apply_decay_param_fun",
        source="paddle/phi/kernels/gpu/adamw_kernel.cu"),
    Dialect("mxnet.Adam", EPS_HAT | WORKING, {}, hyper("learning_rate beta1 beta2 epsilon wd"),
        state("_index_update_count mean var -"),
        targets=("mxnet.optimizer:Adam",),
        outside="rescale_grad and clip_gradient before the L2 term; lazy_update; betas are rounded to float,"
                " also in a float64 step",
        source="mxnet/optimizer/adam.py, src/operator/optimizer_op-inl.h; measured, 1.9.1"),
    Dialect("mxnet.AdamW", EPS_HAT | {"decay": "decoupled-corrected"}, {"eps": 1e-6},
        hyper("learning_rate beta1 beta2 epsilon wd"), state("_index_update_count mean var -"),
        {"correct_bias=False": NO_CORRECTION, "use_fused_step=False": {"decay_order": "after"}},
        targets=("mxnet.optimizer:AdamW",), outside="rescale_grad and clip_gradient",
        source="mxnet/optimizer/adamW.py, src/operator/contrib/adamw-inl.h"),
    Dialect("chainer.Adam", EPS_HAT | {"decay": "decoupled-unscaled", "missing": "zero"}, {},
        hyper("alpha beta1 beta2 eps weight_decay_rate"), state("t m v vhat"), AMSGRAD,
        targets=("chainer.optimizers:Adam",),
        outside="eta=1 multiplies both terms; on the CPU amsgrad=True drops the maximum of each step",
        source="chainer/optimizers/adam.py, 7.8.1; a gradient that is None is a zero one (measured)"),
    Dialect("mindspore.Adam", EPS_HAT | REFUSES_ABSENT | RUNNING, {},
        hyper("learning_rate beta1 beta2 eps weight_decay"), state("beta2_power moment1 moment2 -"),
        targets=("mindspore.nn:Adam",),
        outside="loss_scale; no decay for names with beta or gamma; use_amsgrad not looked into",
        source="mindspore/python/mindspore/nn/optim/adam.py"),
    Dialect("mindspore.AdamWeightDecay", NO_CORRECTION | DECOUPLED | REFUSES_ABSENT, {"eps": 1e-6},
        hyper("learning_rate beta1 beta2 eps weight_decay"), state("- moment1 moment2 -"),
        targets=("mindspore.nn:AdamWeightDecay",), outside="no decay for names with beta or gamma",
        source="mindspore/python/mindspore/nn/optim/adam.py; names of its state as mindspore.Adam's"),
    # Interchange, scientific Python
    Dialect("onnx.Adam", EPS_HAT | REFUSES_ABSENT, {"lr": REQUIRED, "eps": 1e-6},
        hyper("R alpha beta epsilon norm_coefficient"), state("T V H -"),
        outside="norm_coefficient_post=0 and T>=1: at T=0 nothing is corrected",
        source="onnx/defs/training/defs.cc, ai.onnx.preview.training Adam 1; precision left to the runtime"),
    Dialect("onnxruntime.AdamW", DECOUPLED | WORKING | REFUSES_ABSENT, {"lr": REQUIRED, "weight_decay": 1e-2},
        hyper("lr alpha beta epsilon weight_decay"), state("step momentums_1 momentums_2 -"),
        outside="adam_mode=1", source="onnxruntime, orttraining/training_ops/cpu/optimizer/adamw, 1.19.2"),
    Dialect("sklearn.Adam", EPS_HAT | REFUSES_ABSENT, {},
        hyper("learning_rate_init beta_1 beta_2 epsilon -"), state("t ms vs -"),
        targets=("sklearn.neural_network._stochastic_optimizers:AdamOptimizer",),
        source="sklearn/neural_network/_stochastic_optimizers.py; L2 lives in its loss"),
    Dialect("autograd.adam", REFUSES_ABSENT, {}, hyper("step_size b1 b2 eps -"), state("i m v -"),
        targets=("autograd.misc.optimizers:adam",),
        outside="runs its own loop; g*g of a complex gradient, without conjugate",
        source="autograd/misc/optimizers.py"),
    Dialect("thinc.Adam", EPS_HAT | DECOUPLED | WORKING | {"decay_order": "after"}, {},
        hyper("learn_rate beta1 beta2 eps L2"), state("nr_update mom1 mom2 -"),
        {"L2_is_weight_decay=False": L2},
        targets=("thinc.optimizers:Adam", "thinc.api:Adam"),
        outside="clips each gradient to norm 1 (grad_clip=0: off); lr_scale; averages; zeroes the gradient",
        source="thinc/optimizers.py, 9.1.1, float32 alone; coefficients measured"),
    Dialect("pennylane.Adam", EPS_HAT | SKIPS, {"lr": 1e-2, "b2": 0.99},
        hyper("stepsize beta1 beta2 eps -"), state("t fm sm -"),
        targets=("pennylane:AdamOptimizer", "pennylane.optimize:AdamOptimizer"),
        source="pennylane/optimize/adam.py, 0.45"),
    Dialect("qiskit.ADAM", EPS_HAT | REFUSES_ABSENT, {"b2": 0.99}, hyper("lr beta_1 beta_2 noise_factor -"),
        state("_t _m _v _v_eff"), AMSGRAD,
        targets=("qiskit_algorithms.optimizers:ADAM",),
        outside="runs its own loop until tol; its argument eps is a finite difference",
        source="qiskit_algorithms/optimizers/adam_amsgrad.py, 0.4"),
    Dialect("river.Adam", EPS_HAT | SKIPS, {"lr": 0.1}, hyper("lr beta_1 beta_2 eps -"),
        state("n_iterations m v -"), targets=("river.optim:Adam",),
        source="river/optim/adam.py and base.py, 0.26.1; weights are Python floats in a dictionary"),
    Dialect("river.AMSGrad", EPS_HAT | SKIPS | {"amsgrad": "uncorrected"}, {"lr": 0.1},
        hyper("lr beta_1 beta_2 eps -"), state("n_iterations m v v_hat"),
        {"correct_bias=False": NO_CORRECTION}, targets=("river.optim:AMSGrad",),
        source="river/optim/ams_grad.py, 0.26.1"),
    Dialect("climin.Adam", REFUSES_ABSENT, {"lr": 2e-4}, hyper("step_rate - - offset -"),
        state("n_iter est_mom1_b est_mom2_b -"), targets=("climin:Adam", "climin.adam:Adam"),
        outside="decay_mom1 and decay_mom2 are 1-b1 and 1-b2; momentum=0; its offset, eps, is added to both "
        "corrections too; runs its own loop",
        source="climin/adam.py, 0.1a1"),
    Dialect("quimb.ADAM", REFUSES_ABSENT, {}, hyper("learning_rate beta1 beta2 eps -"), state("_i _m _v -"),
        targets=("quimb.tensor.optimize:ADAM",), outside="cautious, which masks the step; bounds",
        source="quimb/tensor/optimize.py, 1.15.0"),
    Dialect("numpy_ml.Adam", {}, {}, hyper("lr decay1 decay2 eps -"), state("t mean var -"),
        targets=("numpy_ml.neural_nets.optimizers:Adam",), outside="clip_norm=None (off); lr_scheduler",
        source="numpy_ml/neural_nets/optimizers/optimizers.py, 0.1.2"),
    Dialect("drjit.Adam", EPS_HAT | {"missing": "zero"}, {"lr": REQUIRED},
        hyper("lr beta_1 beta_2 epsilon -"), state("t m v v_max"), AMSGRAD, targets=("drjit.opt:Adam",),
        outside="an eps of at most 1e-6 stands squared under the root", source="drjit/opt.py, 1.5.0"),
    Dialect("warp.Adam", REFUSES_ABSENT | WORKING, {}, hyper("lr betas[0] betas[1] eps -"), state("t m v -"),
        targets=("warp.optim:Adam",), source="warp/_src/optim/adam.py, 1.19.0; float32 alone"),
    # Other languages
    Dialect("tiny_dnn.Adam", {"epsilon": "inside-corrected"} | REFUSES_ABSENT | RUNNING, {},
        hyper("alpha b1 b2 - -"), state("b2_t - - -"),
        outside="its powers begin at b, not 1, and are multiplied before use, once for each weight",
        source="tiny_dnn/optimizers/optimizer.h, 1.0.0a3; eps is a constant"),
    Dialect("dlib.adam", EPS_HAT | WORKING, {"weight_decay": 5e-4},
        hyper("learning_rate momentum1 momentum2 - weight_decay"), state("t m v -"),
        source="dlib/dnn/solvers.h and dlib/cuda/cpu_dlib.cpp, 19.24; eps is a constant"),
    Dialect("toygrad.Adam", REFUSES_ABSENT, {"lr": 1e-2}, hyper("learningRate beta1 beta2 eps l2decay"),
        state("k gsum xsum -"),
        outside="multiplies the moments by 1-b**t, where Algorithm 1 divides; l1decay",
        source="toygrad/src/trainers/abstract.ts, 2.6.0"),
    Dialect("brain_js.Adam", REFUSES_ABSENT, {"lr": 0.3}, hyper("learningRate beta1 beta2 epsilon -"),
        state("iterations changesLow changesHigh -"),
        outside="the option praxis: \"adam\"; biases move by the moments of the step before",
        source="brain.js/src/neural-network.js, 1.6.1"),
    Dialect("js_pytorch.Adam", NO_CORRECTION | DECOUPLED | REFUSES_ABSENT, {"b2": 0.99, "eps": 1e-9},
        hyper("lr betas[0] betas[1] eps reg"), state("- m v -"),
        source="js-pytorch/dist/index.mjs, 0.7.2"),
    Dialect("ggml.AdamW", REFUSES_ABSENT | DECOUPLED | WORKING, {}, hyper("alpha beta1 beta2 eps wd"),
        state("iter grad_m grad_v -"),
        source="ggml/src/ggml-cpu/ops.cpp, ggml-opt.cpp"),
    Dialect("llm.c.AdamW", REFUSES_ABSENT | DECOUPLED | WORKING, {"lr": REQUIRED, "b2": 0.95},
        hyper("learning_rate beta1 beta2 eps weight_decay"), state("t m v -"),
        outside="stochastic rounding of bfloat16 parameters; decay for weight tensors alone",
        source="llmc/adamw.cuh; the kernel has no defaults, b1, b2 and eps are its trainer's"),
    Dialect("candle.AdamW", SKIPS | DECOUPLED, {"weight_decay": 1e-2},
        hyper("lr beta1 beta2 eps weight_decay"), state("step_t first_moment second_moment -"),
        source="candle-nn/src/optim.rs"),
    Dialect("burn.Adam", WORKING, {"lr": REQUIRED, "eps": 1e-5},
        hyper("lr beta_1 beta_2 epsilon weight_decay"), state("time moment_1 moment_2 max_moment_2"),
        outside="grad_clipping; its AMSGrad option is the maximum of v",
        source="burn-optim/src/optim/adam.rs"),
    Dialect("burn.AdamW", WORKING | DECOUPLED, {"lr": REQUIRED, "eps": 1e-5, "weight_decay": 1e-4},
        hyper("lr beta_1 beta_2 epsilon weight_decay"), state("time moment_1 moment_2 max_moment_2"),
        {"cautious_weight_decay=True": {"cautious_decay": True}},
        outside="grad_clipping; its AMSGrad option is the maximum of v; with cautious_weight_decay a negative"
                " p under a step of 0 does not decay",
        source="burn-optim/src/optim/adamw.rs"),
    Dialect("optimisers_jl.Adam", RUNNING | {"complex": "modulus"}, {},
        hyper("eta beta[1] beta[2] epsilon -"), state("βt mt vt -"),
        source="Optimisers.jl src/rules.jl; raises eps to 1e-7 in Float16"),
    Dialect("optimisers_jl.AdamW", RUNNING | DECOUPLED | {"complex": "modulus"}, {},
        hyper("eta beta[1] beta[2] epsilon lambda"), state("βt mt vt -"),
        {"couple=False": {"decay": "decoupled-unscaled"}},
        source="Optimisers.jl src/rules.jl; raises eps to 1e-7 in Float16"),
)
# fmt: on

#: Every row by its name.
DIALECTS: Mapping[str, Dialect] = MappingProxyType({row.name: row for row in ROWS})
#: arguments that choose an axis in some dialect: "amsgrad", "adam_w_mode"
OPTIONS = frozenset(name for row in ROWS for option in row.options for name in parse_option(option))

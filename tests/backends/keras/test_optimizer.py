"""adamcore.backends.keras.Adam trains through model.fit, on Keras' torch and JAX backends."""

from __future__ import annotations

import importlib.util

import keras_process
import pytest
from cases import some

if importlib.util.find_spec("keras") is None:
    pytest.skip("Keras is not installed", allow_module_level=True)

BACKENDS = ["jax", "torch"]
EACH = pytest.mark.parametrize("backend", BACKENDS)

BEGIN = """
import numpy as np, keras, warnings
from keras import ops
from adamcore import Adam as Core
from adamcore.backends.keras import Adam, AdamW
rng = np.random.default_rng(0)
x = rng.normal(size=(64, 3)).astype("f4")
y = x[:, :1] * x[:, 1:2]

def model():
    keras.utils.set_random_seed(0)
    layers = keras.layers
    return keras.Sequential([layers.Input((3,)), layers.Dense(8, activation="tanh"), layers.Dense(1)])

def fit(optimizer, epochs=3, net=None):
    net = net or model()
    net.compile(optimizer=optimizer, loss="mse")
    history = net.fit(x, y, batch_size=16, epochs=epochs, verbose=0, shuffle=False)
    return net, history.history["loss"]

def gap(a, b):
    return max(float(np.abs(p - q).max()) for p, q in zip(a.get_weights(), b.get_weights()))

def values(variables):
    return [np.array(ops.convert_to_numpy(v.value)) for v in variables]
"""


def run(backend: str, code: str) -> None:
    """Run it in a process whose Keras has that backend."""
    keras_process.run(backend, BEGIN, code)


@pytest.mark.slow
@EACH
def test_trains_and_stands_in_for_keras(backend: str) -> None:
    """Keras' own, from the same start; the gap is that of its float32 coefficients.

    Then the base class' part: weight decay with exclusions, a schedule, averages, accumulation.
    """
    run(
        backend,
        """
        K = keras.optimizers
        schedule = K.schedules.PolynomialDecay(0.05, 20, 0.01)
        for ours, theirs, options in (
            (Adam, K.Adam, {"learning_rate": 0.02}),
            (Adam, K.Adam, {"learning_rate": 0.02, "amsgrad": True, "beta_1": 0.8, "clipnorm": 0.5}),
            (AdamW, K.AdamW, {"learning_rate": schedule, "weight_decay": 0.5, "use_ema": True}),
            (AdamW, K.AdamW, {"learning_rate": 0.02, "gradient_accumulation_steps": 2}),
            (AdamW, K.AdamW, {"learning_rate": 0.02, "loss_scale_factor": 8.0, "global_clipnorm": 0.1}),
        ):
            nets = []
            for make in (ours, theirs):
                optimizer = make(**options)
                optimizer.exclude_from_weight_decay(var_names=["bias"])
                net, losses = fit(optimizer)
                assert losses[-1] < losses[0], losses
                nets.append(net)
            assert 0 < gap(*nets) < 3e-5, (options, gap(*nets))
        """,
    )


@pytest.mark.slow
@EACH
def test_config_and_saving(backend: str) -> None:
    """from_config gives the same optimizer; a saved model goes on bit for bit as if never saved."""
    run(
        backend,
        """
        import os, tempfile
        first = Adam(0.02, dialect="torch.AdamW", weight_decay=0.3, clock="per-parameter", clipnorm=1.0)
        assert Adam.from_config(first.get_config()).adam == first.adam
        assert Adam.from_config(first.get_config()).get_config() == first.get_config()
        schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
        again = Adam.from_config(Adam(schedule, dialect="torch.NAdam").get_config())
        assert again.adam.nesterov == "dozat" and again.dialect == "torch.NAdam"

        whole, _ = fit(first, epochs=4)
        half, _ = fit(Adam.from_config(first.get_config()), epochs=2)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "half.keras")
            half.save(path)
            loaded = keras.models.load_model(path)
        assert type(loaded.optimizer) is Adam and loaded.optimizer.adam == first.adam
        loaded.fit(x, y, batch_size=16, epochs=2, verbose=0, shuffle=False)
        assert gap(whole, loaded) == 0.0
        """,
    )


@EACH
def test_is_the_step_of_the_core(backend: str) -> None:
    """Every dialect, beside Adam.step on the same arrays; with excluded variables too."""
    run(
        backend,
        """
        from dataclasses import replace
        from adamcore import AdamState
        for name in ("torch.Adam", "torch.AdamW", "torch.NAdam", "keras.Nadam", "optax.amsgrad", "tfa.AdamW"):
            net = model()
            variables = net.trainable_variables
            optimizer = Adam(0.25, dialect=name, weight_decay=0.1)
            optimizer.exclude_from_weight_decay(var_names=["bias"])
            core = optimizer.adam
            params = [ops.convert_to_tensor(np.array(v)) for v in values(variables)]
            both = [[0, 2], [1, 3]]
            cores = [core, replace(core, weight_decay=0.0)]
            states = [c.init([params[i] for i in part]) for c, part in zip(cores, both)]
            for k in range(4):
                grads = [ops.convert_to_tensor(rng.normal(size=v.shape).astype("f4")) for v in variables]
                optimizer.apply(grads, variables)
                for j, (c, part) in enumerate(zip(cores, both)):
                    mine, theirs = [params[i] for i in part], [grads[i] for i in part]
                    new, states[j] = c.step(mine, theirs, states[j], lr=0.25)
                    for i, p in zip(part, new):
                        params[i] = p
            for v, p in zip(values(variables), params):
                assert np.abs(v - ops.convert_to_numpy(p)).max() <= 2e-7, name
        """,
    )


@EACH
def test_an_absent_gradient(backend: str) -> None:
    """The variable, its moments and, where it has one, its clock stand still bit for bit."""
    run(
        backend,
        """
        for clock, late in (("per-parameter", 1), ("global", 2)):
            net = model()
            variables = net.trainable_variables
            optimizer = Adam(0.1, dialect="torch.AdamW", weight_decay=0.5, clock=clock)
            grads = [ops.ones(v.shape) for v in variables]
            optimizer.apply(grads, variables)
            before = values([variables[0], optimizer._momentums[0], optimizer._velocities[0]])
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                optimizer.apply([None, *grads[1:]], variables)
            after = values([variables[0], optimizer._momentums[0], optimizer._velocities[0]])
            assert all(a.tobytes() == b.tobytes() for a, b in zip(before, after))
            if clock == "per-parameter":
                assert [int(v) for v in values(optimizer._clocks)] == [1, 2, 2, 2]
            else:
                assert int(ops.convert_to_numpy(optimizer.iterations)) == 2
        """,
    )


def test_refuses_what_it_cannot_do() -> None:
    run(
        "numpy",
        """
        from unittest import mock
        from adamcore.errors import AxisError, BackendError, DialectError, HyperparameterError
        def refused(error, *args, cls=Adam, **kwargs):
            try:
                cls(*args, **kwargs)
            except error as e:
                return str(e)
            raise AssertionError(kwargs)
        assert "lr=..." in refused(HyperparameterError, dialect="optax.adam")
        assert "beta" not in refused(HyperparameterError, 0.1, beta_1=1.0)
        assert "must be a float. Received: weight_decay=None" in refused(
            HyperparameterError, 0.1, cls=AdamW, weight_decay=None
        )
        assert AdamW(0.1).weight_decay == 0.004 and AdamW(0.1, dialect="torch.AdamW").weight_decay == 0.01
        refused(DialectError, dialect="keras.adam")
        refused(AxisError, decay="decoupled-twice")
        assert "p_storage='split': Keras" in refused(BackendError, 0.1, p_storage="split")
        assert "this optimizer draws no random bits" in refused(BackendError, 0.1, v_storage="stochastic")
        assert "v_storage='companded8': Keras" in refused(BackendError, 0.1, v_storage="companded8")
        with mock.patch.object(keras.backend, "backend", lambda: "tensorflow"):
            assert "KERAS_BACKEND" in refused(BackendError)
        v = keras.Variable(np.ones(2, "f4"))
        optimizer = Adam(0.1)
        optimizer.apply([np.ones(2, "f4")], [v])
        assert np.abs(np.asarray(v.value) - 0.9).max() < 1e-4
        """,
    )


@EACH
def test_live_settings_are_those_of_the_next_step(backend: str) -> None:
    """Every attribute of Keras' Adam and AdamW, set after a step, beside Keras' own."""
    run(
        backend,
        """
        K = keras.optimizers
        def end(cls, name, value, **options):
            v = keras.Variable(np.ones(2, "f4"))
            optimizer = cls(learning_rate=0.1, **options)
            optimizer.build([v])
            optimizer.apply([ops.convert_to_tensor(np.ones(2, "f4"))], [v])
            assert hasattr(optimizer, name), name
            setattr(optimizer, name, value)
            for k in range(3):
                g = np.array([-0.3, 2.0 / (k + 1)], "f4")
                optimizer.apply([ops.convert_to_tensor(g)], [v])
            return np.array(ops.convert_to_numpy(v.value))

        untouched = end(AdamW, "name", "x")
        for name, value in (
            ("weight_decay", 2.0), ("weight_decay", None), ("beta_1", 0.0), ("beta_2", 0.5),
            ("epsilon", 1.0), ("beta_1", np.float32(0.5)), ("learning_rate", 0.7), ("clipnorm", 0.1),
            ("clipvalue", 0.1), ("global_clipnorm", 0.1), ("loss_scale_factor", 4.0),
        ):
            if name != "loss_scale_factor":  # Adam does not see a scale
                assert np.abs(end(AdamW, name, value) - untouched).max() > 1e-4, (name, value)
            for ours, theirs in ((Adam, K.Adam), (AdamW, K.AdamW)):
                a, b = end(ours, name, value), end(theirs, name, value)
                assert np.abs(a - b).max() < 5e-5, (name, value, a, b)
        a, b = (end(c, "amsgrad", False, amsgrad=True, beta_2=0.5) for c in (Adam, K.Adam))
        assert np.abs(a - b).max() < 5e-5, (a, b)
        assert np.abs(a - end(Adam, "name", "x", amsgrad=True, beta_2=0.5)).max() > 1e-3
        """,
    )


@EACH
def test_our_own_settings_are_live_or_refused(backend: str) -> None:
    """An axis set between steps acts as one given from the start; what has no variables is refused."""
    run(
        backend,
        """
        from adamcore.errors import AxisError, HyperparameterError
        def steps(optimizer, **later):
            v = keras.Variable(np.ones(1, "f4"))
            optimizer.build([v])
            for name, value in later.items():
                setattr(optimizer, name, value)
                assert getattr(optimizer, name) == value
            optimizer.apply([ops.convert_to_tensor(np.ones(1, "f4"))], [v])
            return optimizer.get_config(), float(ops.convert_to_numpy(v.value)[0])

        for later in (
            {"decay": "l2"}, {"decay_order": "after"}, {"maximize": True, "cautious_decay": True},
            {"bias_correction": "none"}, {"eps_root": 0.5},
            {"nesterov": "optax"}, {"maximize": True}, {"epsilon_rule": "outside-corrected"},
        ):
            made = Adam(0.1, weight_decay=0.2, name="a", **later)
            found = steps(Adam(0.1, weight_decay=0.2, name="a"), **later)
            assert found == steps(made), later
            assert found[1] != steps(Adam(0.1, weight_decay=0.2))[1] or "epsilon" in str(later), later
        relative = Adam(0.5, weight_decay=0.2, decay="decoupled-squared")
        relative.learning_rate = 0.25
        assert relative.lr_max == 0.5 and relative.adam.lr_max == 0.5
        for make in (
            lambda: setattr(Adam(0.1), "decay", "decoupled-relative"),
            lambda: Adam(keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5), weight_decay=0.2,
                         decay="decoupled-relative"),
        ):
            try:
                make()
            except (AxisError, HyperparameterError) as error:
                assert "lr_max" in str(error)
            else:
                raise AssertionError("lr_max is not asked for")
        optimizer = Adam(0.1)
        optimizer.amsgrad = True  # before it is built
        assert optimizer.amsgrad is True and optimizer.adam.amsgrad == "uncorrected"
        optimizer.build([keras.Variable(np.ones(1, "f4"))])
        assert len(optimizer._velocity_hats) == 1
        built = Adam(0.1)
        built.build([keras.Variable(np.ones(1, "f4"))])
        for name, value in (("amsgrad", True), ("clock", "per-parameter"), ("nesterov", "dozat")):
            try:
                setattr(built, name, value)
            except AxisError as error:
                assert "the optimizer is built" in str(error)
            else:
                raise AssertionError(name)
        before = built.adam
        for name, value in (("beta_1", 1.5), ("epsilon", -1.0), ("beta_2", "0.9"), ("decay", "no")):
            try:
                setattr(built, name, value)
            except (HyperparameterError, AxisError):
                assert built.adam == before
            else:
                raise AssertionError(name)
        """,
    )


@EACH
def test_arguments_by_position_are_those_of_keras(backend: str) -> None:
    run(
        backend,
        """
        import inspect
        K = keras.optimizers
        numbers = (0.1, 0.2, 0.3, 0.4)
        a, k = AdamW(*numbers, 1e-3, True, 0.5), K.AdamW(*numbers, 1e-3, True, 0.5)
        names = ("weight_decay", "beta_1", "beta_2", "epsilon", "amsgrad", "clipnorm", "clipvalue")
        for name in names:
            assert getattr(a, name) == getattr(k, name), name
        b, k = Adam(*numbers, True, 0.6, None, 0.5), K.Adam(*numbers, True, 0.6, None, 0.5)
        for name in names:
            assert getattr(b, name) == getattr(k, name), name
        theirs = [p for p in inspect.signature(K.Adam).parameters if p != "kwargs"]
        assert list(inspect.signature(Adam).parameters)[: len(theirs)] == theirs
        """,
    )


@pytest.mark.parametrize("backend", ["torch"])
def test_check_numerics_warns_once_built(backend: str) -> None:
    run(
        backend,
        """
        from adamcore.numerics import NumericsWarning
        w, b = (keras.Variable(np.ones(3), dtype="bfloat16", name=name) for name in ("w", "b"))
        optimizer = AdamW(1e-3, check_numerics=True)
        optimizer.exclude_from_weight_decay(var_names=["b"])
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            optimizer.build([w, b])
        assert [x.category for x in seen if "numerics" in x.category.__module__] == [NumericsWarning]
        found = [(f.what, f.path) for f in optimizer.check_numerics(1e-5).findings if "lost" in f.what]
        assert sorted(found) == [("decay-lost", "w"), ("step-lost", "b"), ("step-lost", "w")], found
        assert Adam.from_config(Adam(1.0, check_numerics=0.5).get_config()).warns == 0.5
        assert "check_numerics" not in Adam(1.0).get_config()
        """,
    )


@pytest.mark.parametrize("backend", ["torch"])
def test_loading_rounds_no_moment(backend: str) -> None:
    """MOM.4: Keras assigns a saved v of 1e-11 to a variable of float16, where it is 0."""
    run(
        backend,
        """
        from adamcore.errors import StateError

        def stepped(dtype, g):
            w, optimizer = keras.Variable(np.ones(2), dtype=dtype), Adam(0.1)
            optimizer.build([w])
            optimizer.apply([ops.cast(ops.convert_to_tensor(np.full(2, g)), dtype)])
            return optimizer

        def saved(optimizer):
            store = {}
            optimizer.save_own_variables(store)
            return store

        store = saved(stepped("float32", 1e-4))
        narrow, before = stepped("float16", 0.5), values(stepped("float16", 0.5).variables)
        try:
            narrow.load_own_variables(store)
        except StateError as error:
            assert "momentum was saved in float32 and is float16 now" in str(error), error
        else:
            raise AssertionError("rounded")
        assert all((a == b).all() for a, b in zip(values(narrow.variables), before))
        for dtype in ("float16", "float32"):
            stepped("float32", 0.25).load_own_variables(saved(stepped(dtype, 0.5)))
        keras.Variable(np.ones(2), dtype="bfloat16")
        stepped("bfloat16", 0.25).load_own_variables(saved(stepped("bfloat16", 0.5)))
        narrow.set_weights([store[str(i)] for i in range(len(store))])
        assert float(narrow.variables[3].value[0]) == 0.0
        """,
    )


@pytest.mark.parametrize("backend", some(["torch", "jax"], 1))
def test_a_loss_scale_optimizer_around_ours(backend: str) -> None:
    """SCALE.2: where a gradient overflows nothing moves, clocks neither.  A power of two divides exactly."""
    run(
        backend,
        """
        def apply(optimizer, grads, w):
            grads = [ops.convert_to_tensor(g) for g in grads]
            if keras.backend.backend() != "jax":
                return optimizer.apply(grads, w)
            held = [*w, *optimizer.variables]  # Keras' own step in place leaks tracers on JAX
            new = optimizer.stateless_apply([v.value for v in held[len(w):]], grads, [v.value for v in w])
            for variable, value in zip(held, [*new[0], *new[1]]):
                variable.assign(value)

        for options in ({}, {"dialect": "torch.AdamW"}, {"dialect": "torch.NAdam"}):
            first = [np.asarray([0.5, -0.25, 3.0], "float32"), np.asarray([1.5], "float32")]
            plain_w, w = ([keras.Variable(x) for x in first] for _ in range(2))
            own, inner = Adam(0.1, **options), Adam(0.1, **options)
            wrapped = keras.optimizers.LossScaleOptimizer(inner, initial_scale=1024.0)
            plain = own
            if keras.backend.backend() == "jax":  # which rounds otherwise where a step is not inside cond
                plain = keras.optimizers.LossScaleOptimizer(own, initial_scale=1.0)
            plain.build(plain_w)
            wrapped.build(w)
            for k in range(4):
                g = [np.asarray([0.1, -0.2, 1e-3], "float32") * (k + 1), np.asarray([0.0], "float32")]
                apply(plain, g, plain_w)
                scale = float(ops.convert_to_numpy(wrapped.dynamic_scale))
                apply(wrapped, [x * np.float32(scale) for x in g], w)
                pairs = zip(values([*plain_w, *own.variables]), values([*w, *inner.variables]))
                assert all(a.tobytes() == b.tobytes() for a, b in pairs), k
                before = values([*w, *inner.variables])
                apply(wrapped, [np.asarray([np.inf, 0, 0], "float32"), g[1]], w)
                after = values([*w, *inner.variables])
                assert all(a.tobytes() == b.tobytes() for a, b in zip(before, after)), k
                assert float(ops.convert_to_numpy(wrapped.dynamic_scale)) == scale / 2
        """,
    )


def test_the_base_class_clips_as_the_core_does() -> None:
    """`global_clipnorm`, `clipnorm` and `clipvalue` of Keras are the three ways of CLIP.2 to CLIP.4."""
    run(
        "torch",
        """
        from adamcore import Clip
        starts = [rng.normal(size=(3, 2)).astype("f4"), rng.normal(size=2).astype("f4")]
        grads = [rng.normal(size=p.shape).astype("f4") for p in starts]
        ways = {"global_clipnorm": "global_norm", "clipnorm": "norm", "clipvalue": "value"}
        for theirs, ours in ways.items():
            for most in (0.3, 100.0):
                variables = [keras.Variable(p) for p in starts]
                optimizer = Adam(0.1, **{theirs: most})
                optimizer.build(variables)
                optimizer.apply([ops.convert_to_tensor(g) for g in grads], variables)
                core, clip = optimizer.adam, Clip(**{ours: most})
                want, _ = core.step(starts, grads, core.init(starts), lr=0.1, clip=clip)
                for a, b in zip(values(variables), want):
                    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
        """,
    )


@EACH
def test_what_is_excluded_from_decay_stays_so(backend: str) -> None:
    """Several calls, a layer's name, a model that is saved and loaded, a LossScaleOptimizer around it."""
    run(
        backend,
        """
        import os, tempfile
        def made(optimizer):
            layers = keras.layers
            parts = layers.Dense(3), layers.LayerNormalization(name="layer_norm"), layers.Dense(2)
            net = keras.Sequential([layers.Input((3,)), *parts])
            net.compile(optimizer=optimizer, loss=still)
            net.set_weights([np.ones_like(x) for x in net.get_weights()])
            return net

        @keras.saving.register_keras_serializable()
        def still(y_true, y_pred):
            return ops.sum(y_pred * 0.0, axis=-1)

        def decayed(net):
            before = net.get_weights()
            net.train_on_batch(x, np.zeros((64, 2), "f4"))
            pairs = zip(before, net.get_weights(), strict=True)
            return [i for i, pair in enumerate(pairs) if not np.array_equal(*pair)]

        def loaded(net):
            with tempfile.TemporaryDirectory() as folder:
                net.save(os.path.join(folder, "net.keras"))
                return keras.saving.load_model(os.path.join(folder, "net.keras"))

        def given(*calls):
            optimizer = AdamW(0.1, weight_decay=0.1)
            for names in calls:
                optimizer.exclude_from_weight_decay(var_names=names)
            return optimizer

        for calls in ([["bias", "layer_norm"]], [["bias"], ["gamma"], ["beta"]]):
            net = made(given(*calls))
            assert decayed(net) == [0, 4], calls
            assert decayed(loaded(net)) == [0, 4], calls
        net = made(given(["bias"]))
        net.optimizer.exclude_from_weight_decay(var_list=[net.trainable_variables[4]])
        assert decayed(net) == [0, 2, 3]
        again = loaded(loaded(net))
        again.optimizer.exclude_from_weight_decay(var_names=["gamma"])
        assert decayed(again) == [0, 3]

        net = made(keras.optimizers.LossScaleOptimizer(given(["bias", "layer_norm"])))
        assert decayed(net) == decayed(loaded(net)) == [0, 4]
        assert AdamW.from_config(given(["bias"]).get_config()).exclusions.names == ("bias",)
        assert "exclude_from_weight_decay" not in AdamW(0.1).get_config()
        """,
    )


@EACH
def test_an_exclusion_that_can_have_no_effect(backend: str) -> None:
    """A name of nothing is warned of, a program that is compiled refused; what is eager takes it."""
    run(
        backend,
        """
        from adamcore.errors import StateError
        net, late = model(), AdamW(0.1, weight_decay=0.1)
        late.exclude_from_weight_decay(var_names=["bias", "gama"])
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            fit(late, 1, net)
        assert [str(w.message).split(" of")[0] for w in seen if "exclude" in str(w.message)] == [
            "exclude_from_weight_decay: 'gama' names no variable that is trained, and leaves nothing out"
        ]
        before = late.exclusions
        try:
            late.exclude_from_weight_decay(var_names=["kernel"])
        except StateError as error:
            assert keras.backend.backend() == "jax"
            assert "expected one before the first step" in str(error), error
            assert late.exclusions == before
        else:
            assert keras.backend.backend() == "torch" and late.excluded == {0, 1, 2, 3}

        strict, w = AdamW(0.1), keras.Variable(np.ones(1, "f4"), name="w")
        strict.exclude_from_weight_decay(var_names=["gama"])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                strict.build([w])
            except UserWarning:
                assert not strict.built and len(strict.variables) == 2
            else:
                raise AssertionError("no warning")
        """,
    )


@pytest.mark.parametrize("backend", ["torch"])
def test_the_name_is_the_one_given(backend: str) -> None:
    run(
        backend,
        """
        assert Adam(0.1, name="mine").name == "mine" == Adam(0.1, name="mine").get_config()["name"]
        assert Adam(0.1).name.startswith("adam") and AdamW(0.1).name.startswith("adam_w")
        """,
    )


@EACH
def test_a_rate_is_in_float32_whatever_floatx_is(backend: str) -> None:
    """On PyTorch Keras' own optimizers compute a schedule in it, where 0.999 is 1 in bfloat16."""
    run(
        backend,
        """
        rates = [keras.optimizers.schedules.ExponentialDecay(1e-3, 1, 0.999), lambda: 1e-3]
        for rate in rates:
            found = []
            for floatx in ("float32", "bfloat16", "float16"):
                keras.config.set_floatx(floatx)
                optimizer, w = Adam(rate), keras.Variable(np.ones(2), dtype="float32")
                optimizer.build([w])
                optimizer.iterations.assign(1000)
                optimizer.apply([ops.ones(2, dtype="float32")], [w])
                found.append((np.float32(float(optimizer.learning_rate)), values([w])[0].tolist()))
                assert keras.config.floatx() == floatx
            assert found[0] == found[1] == found[2], found
        """,
    )

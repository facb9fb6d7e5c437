"""What PyTorch builds around an optimizer: schedulers, GradScaler, torch.compile, autograd."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from cases import some
from replay import Record
from torch.nn import Parameter
from torch.optim import lr_scheduler as lrs
from torch_runs import SEQUENTIAL_LR

import adamcore
from adamcore.backends.torch import Adam, AdamW
from adamcore.errors import BackendError

SCHEDULERS: dict[str, Callable[[Any], Any]] = {
    "LambdaLR": lambda o: lrs.LambdaLR(o, lambda t: 1 / (t + 1)),
    "MultiplicativeLR": lambda o: lrs.MultiplicativeLR(o, lambda t: 0.9),
    "StepLR": lambda o: lrs.StepLR(o, 3),
    "MultiStepLR": lambda o: lrs.MultiStepLR(o, [2, 5]),
    "ConstantLR": lambda o: lrs.ConstantLR(o, total_iters=4),
    "LinearLR": lambda o: lrs.LinearLR(o, total_iters=6),
    "ExponentialLR": lambda o: lrs.ExponentialLR(o, 0.8),
    "PolynomialLR": lambda o: lrs.PolynomialLR(o, 8, 2.0),
    "CosineAnnealingLR": lambda o: lrs.CosineAnnealingLR(o, 8),
    "CosineAnnealingWarmRestarts": lambda o: lrs.CosineAnnealingWarmRestarts(o, 4),
    "CyclicLR": lambda o: lrs.CyclicLR(o, 0.01, 0.1, 3),
    "OneCycleLR": lambda o: lrs.OneCycleLR(o, 0.1, total_steps=12),
    "ReduceLROnPlateau": lambda o: lrs.ReduceLROnPlateau(o, patience=1),
    "SequentialLR": lambda o: lrs.SequentialLR(
        o, [lrs.ConstantLR(o, 0.5, 3), lrs.ExponentialLR(o, 0.9)], milestones=[4]
    ),
    "ChainedScheduler": lambda o: lrs.ChainedScheduler([lrs.ConstantLR(o, 0.5, 3), lrs.StepLR(o, 4)]),
}


def parameters(*shapes: tuple[int, ...], dtype: torch.dtype = torch.float32) -> list[Parameter]:
    torch.manual_seed(0)
    return [Parameter(torch.randn(shape, dtype=dtype)) for shape in shapes]


def gradients(params: list[Any], t: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(t)
    return [torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in params]


def give(params: list[Any], grads: list[torch.Tensor]) -> None:
    for p, g in zip(params, grads, strict=True):
        p.grad = g.clone()


# ---------------------------------------------------------------------------- schedulers


def test_every_scheduler_is_tried() -> None:
    others = {"LRScheduler", "SWALR"}  # the base class, and one of torch.optim.swa_utils
    assert set(lrs.__all__) - others == set(SCHEDULERS)


@SEQUENTIAL_LR
@pytest.mark.parametrize("tensor", [False, True], ids=["number", "tensor"])
@pytest.mark.parametrize("name", SCHEDULERS)
def test_schedulers(name: str, tensor: bool) -> None:
    """The same settings at every step as with torch.optim.AdamW, and the step is made with them.

    Each step on its own is judged as the first of a run: betas that cycle change under a run.
    """
    params = parameters((3,), dtype=torch.float64)
    theirs_params = parameters((3,), dtype=torch.float64)
    lr: Any = torch.tensor(0.05, dtype=torch.float64) if tensor else 0.05
    ours, theirs = AdamW(params, lr=lr), torch.optim.AdamW(theirs_params, lr=0.05)
    schedulers = [SCHEDULERS[name](o) for o in (ours, theirs)]
    for t in range(11):
        settings = [(float(o.param_groups[0]["lr"]), o.param_groups[0]["betas"]) for o in (ours, theirs)]
        assert settings[0] == settings[1]
        (lr_now, (b1, b2)) = settings[0]
        record = Record([p.detach().numpy() for p in params])
        ours.reset()
        grads = gradients(params, t)
        for optimizer, them in ((ours, params), (theirs, theirs_params)):
            give(them, grads)
            optimizer.step()
        record.add([g.numpy() for g in grads], [p.detach().numpy() for p in params])
        claim = adamcore.Adam.like("torch.AdamW", lr=lr_now, b1=b1, b2=b2)
        result = record.judge(claim)
        assert result.status == "passed", result
        for scheduler in schedulers:
            scheduler.step(1.0) if name == "ReduceLROnPlateau" else scheduler.step()


# ---------------------------------------------------------------------------- GradScaler


@pytest.fixture(params=[False, True], ids=["unscaled before", "unscaled inside"])
def fused(request: pytest.FixtureRequest) -> bool:
    """Whether GradScaler leaves unscaling to the step."""
    return bool(request.param)


def test_grad_scaler(fused: bool) -> None:
    """Scaled gradients within the bound of unscaled ones; where they overflow nothing moves."""
    params = parameters((3,), (2, 2))
    optimizer = AdamW(params, lr=0.05, fused=fused)
    assert optimizer._step_supports_amp_scaling is fused
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    record = Record([p.detach().numpy() for p in params])
    scaler.scale(torch.ones(1))
    for t in range(8):
        grads = gradients(params, t)
        scale = scaler.get_scale()
        give(params, [g * scale for g in grads])
        if t == 3:
            params[1].grad[0, 0] = float("inf")  # type: ignore[index]
        before = [p.detach().clone() for p in params]
        scaler.step(optimizer)
        scaler.update()
        if t == 3:
            assert all(torch.equal(p, q) for p, q in zip(params, before, strict=True))
            assert scaler.get_scale() == scale / 2
            continue
        assert all(torch.equal(p.grad, g) for p, g in zip(params, grads, strict=True))  # type: ignore[arg-type]
        record.add([g.numpy() for g in grads], [p.detach().numpy() for p in params])
    assert optimizer.state_dict()["state"][0]["step"] == 7
    assert not hasattr(optimizer, "found_inf")
    result = record.judge(adamcore.Adam.like("torch.AdamW", lr=0.05))
    assert result.status == "passed", result


def test_grad_scaler_with_gradients_unscaled_for_clipping(fused: bool) -> None:
    params = parameters((3,))
    optimizer = Adam(params, lr=0.1, fused=fused)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    scaler.scale(torch.ones(1))
    give(params, [1024.0 * g for g in gradients(params, 0)])
    scaler.unscale_(optimizer)
    record = Record([p.detach().numpy() for p in params])
    torch.nn.utils.clip_grad_norm_(params, 0.5)
    clipped = params[0].grad.clone()  # type: ignore[union-attr]
    scaler.step(optimizer)
    record.add([clipped.numpy()], [p.detach().numpy() for p in params])
    assert record.judge(adamcore.Adam(lr=0.1)).status == "passed"


def test_scales_are_taken_out_in_float32() -> None:
    """float16 would lose what the scale was there to save."""
    p, q = (Parameter(torch.ones(1, dtype=torch.float16)) for _ in "12")
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16)
    scaler.scale(torch.ones(1))
    optimizer = Adam([p], lr=0.5, fused=True, moment_dtype="float32", eps=1e-12)
    p.grad = torch.full((1,), 2.0**-10, dtype=torch.float16)  # unscaled 2**-26, below all of float16
    scaler.step(optimizer)
    assert p.item() == 0.5
    whole = Adam([q], lr=0.5, moment_dtype="float32", eps=1e-12)
    q.grad = torch.full((1,), 2.0**-26, dtype=torch.float16)
    whole.step()
    assert q.item() == 1.0  # it is 0 there


@pytest.mark.parametrize("settings", [{}, {"clock": "global"}, {"nesterov": "dozat"}, {"missing": "zero"}])
def test_a_step_that_only_the_program_can_skip(settings: dict[str, Any]) -> None:
    """``found_inf`` under compilation, as on a device: everything stays bit for bit, clocks too."""
    params = parameters((3,), (2,))
    optimizer = Adam(params, lr=torch.tensor(0.05), fused=True, **settings)
    step = compiled(optimizer)
    give(params, gradients(params, 0))
    params[1].grad = None
    optimizer.grad_scale, optimizer.found_inf = torch.tensor(1.0), torch.tensor(0.0)  # type: ignore[attr-defined]
    step()

    def everything() -> list[bytes]:
        held = [*params, *(x for s in optimizer.state.values() for x in s.values())]
        held += [v for g in optimizer.param_groups for k, v in g.items() if k in ("step", "mu_product")]
        return [x.detach().numpy().tobytes() for x in held]

    before = everything()
    optimizer.found_inf = torch.tensor(1.0)  # type: ignore[attr-defined]
    params[0].grad = torch.full((3,), float("inf"))
    step()
    assert everything() == before
    optimizer.found_inf = torch.tensor(0.0)  # type: ignore[attr-defined]
    give(params[:1], gradients(params[:1], 1))
    step()
    assert everything() != before


# ------------------------------------------------------------------------- torch.compile


class Counter:
    """A compiler that runs what it is given, and counts; through autograd (AOT) as inductor, if asked to."""

    def __init__(self, *, ahead: bool = False) -> None:
        self.graphs, self.ahead = 0, ahead

    def __call__(self, graph: Any, inputs: Any) -> Any:
        self.graphs += 1
        return torch._dynamo.lookup_backend("aot_eager")(graph, inputs) if self.ahead else graph.forward


def compiled(optimizer: Any, counter: Counter | None = None) -> Callable[[], Any]:
    torch._dynamo.reset()
    step: Any = torch.compile(optimizer.step, backend=counter or Counter())

    def run() -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of PyTorch's compiler: what it loads, what it can't see
            return step()

    return run


def test_a_parameter_given_twice_is_stepped_twice_when_compiled() -> None:
    [p], [q] = parameters((3,)), parameters((3,))
    with pytest.warns(UserWarning, match="duplicate"):
        optimizer, eager = Adam([p, p]), Adam([q, q])
    step = compiled(optimizer)
    for t in range(3):
        give([p], gradients([p], t))
        give([q], gradients([q], t))
        step()
        eager.step()
    assert int(optimizer.state[p]["step"]) == 6
    assert torch.equal(p, q)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"amsgrad": True, "weight_decay": 0.1},
        {"nesterov": "dozat"},
        {"clock": "global"},
        {"capturable": True},
    ],
)
def test_compiled_once(settings: dict[str, Any]) -> None:
    """New values of lr and the clock compile nothing anew, and give what the uncompiled step gives."""
    params, again = parameters((3,), (2, 2)), parameters((3,), (2, 2))
    lr = torch.tensor(0.05)
    optimizer, eager = Adam(params, lr=lr, **settings), Adam(again, lr=lr, **settings)
    counter = Counter()
    step = compiled(optimizer, counter)
    record = Record([p.detach().numpy() for p in params])
    for t in range(6):
        lr.fill_(0.05 / (t + 1))
        grads = gradients(params, t)
        give(params, grads)
        give(again, grads)
        step()
        eager.step()
        record.add([g.numpy() for g in grads], [p.detach().numpy() for p in params], lr=float(lr))
    assert counter.graphs == 1
    rules = {**settings, "amsgrad": "uncorrected" if "amsgrad" in settings else "none"}
    rules.pop("capturable", None)
    result = record.judge(adamcore.Adam(lr=float(torch.tensor(0.05)), **rules))
    assert result.status == "passed", result
    optimizer.step()  # and on without compilation
    assert optimizer.state_dict()["state"][1]["step"] == 7
    assert eager.state_dict()["state"][1]["step"] == 6


def test_capturable_keeps_its_tensors() -> None:
    """What a CUDA graph holds on to stays where it is: parameters, moments, clocks."""
    params = parameters((3,))
    optimizer = Adam(params, capturable=True, nesterov="dozat", amsgrad=True)
    give(params, gradients(params, 0))
    optimizer.step()
    held = {k: (id(x), x.data_ptr()) for k, x in optimizer.state[params[0]].items()}
    for t in range(3):
        give(params, gradients(params, t))
        optimizer.step()
    optimizer.reset()
    assert {k: (id(x), x.data_ptr()) for k, x in optimizer.state[params[0]].items()} == held


@pytest.mark.gpu
def test_cuda_graph() -> None:
    """Captured once, replayed with new gradients and a new lr."""
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    params = [Parameter(p.detach().cuda()) for p in parameters((3,), (2, 2))]
    lr = torch.tensor(0.05, device="cuda")
    optimizer = AdamW(params, lr=lr, capturable=True)
    record = Record([p.detach().cpu().numpy() for p in params])
    give(params, [torch.zeros_like(p) for p in params])
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        optimizer.step()  # makes the state
    torch.cuda.current_stream().wait_stream(side)
    optimizer.reset()
    with torch.no_grad():
        for p, start in zip(params, record.params, strict=True):
            p.copy_(torch.from_numpy(start))
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        optimizer.step()
    for t in range(6):
        grads = gradients(parameters((3,), (2, 2)), t)
        for p, g in zip(params, grads, strict=True):
            p.grad.copy_(g)  # type: ignore[union-attr]
        lr.fill_(0.05 / (t + 1))
        graph.replay()
        record.add([g.numpy() for g in grads], [p.detach().cpu().numpy() for p in params], lr=float(lr))
    result = record.judge(adamcore.Adam.like("torch.AdamW", lr=float(torch.tensor(0.05))))
    assert result.status == "passed", result


# ------------------------------------------------------------------------------ autograd


def test_lr_can_be_learned() -> None:
    """Through two steps, against finite differences."""

    def loss(lr: torch.Tensor) -> torch.Tensor:
        p = torch.tensor([1.0, -2.0], dtype=torch.float64, requires_grad=True).clone()
        optimizer = AdamW([p], lr=lr, weight_decay=0.1, differentiable=True)
        for t in range(2):
            p.grad = torch.tensor([0.5 + t, -1.0], dtype=torch.float64)
            optimizer.step()
        return p.pow(2).sum()

    assert torch.autograd.gradcheck(loss, torch.tensor(0.1, dtype=torch.float64, requires_grad=True))


def test_leaves_are_not_written_to_while_autograd_records() -> None:
    p = Parameter(torch.ones(2))
    p.grad = torch.ones(2)
    with pytest.raises(RuntimeError, match="leaf Variable"):
        Adam([p], differentiable=True).step()


def test_the_step_is_no_part_of_the_graph() -> None:
    p = Parameter(torch.ones(2))
    lr = torch.tensor(0.1, requires_grad=True)
    optimizer = Adam([p], lr=lr)
    loss = optimizer.step(lambda: (p * p).sum().backward())
    assert loss is None
    assert p.is_leaf
    assert p.requires_grad
    assert lr.grad is None
    assert np.allclose(p.detach(), 0.9)


def stepped(x: torch.Tensor, start: torch.Tensor, **settings: Any) -> torch.Tensor:
    """Two steps whose gradients depend on x, with an eps that counts."""
    p = start + 0.0 * x.detach()  # under vmap it has to be batched as x is
    optimizer = Adam([p], lr=0.1, eps=1.0, **settings)
    for k in range(2):
        p.grad = x * (k + 1) * torch.ones_like(p)
        optimizer.step()
    return p.sum()


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")  # PyTorch's own jvp
@pytest.mark.parametrize("transform", ["grad", "jvp", "grad of vmap", "vmap of grad"])
def test_torch_func_differentiates_a_recorded_step_only(transform: str) -> None:
    """Anything else would be a derivative of 0, as with PyTorch's own, and nothing would say so."""
    from torch import func

    x, start = torch.tensor(0.5, dtype=torch.float64), torch.ones(2, dtype=torch.float64)

    def derivative(f: Callable[[torch.Tensor], torch.Tensor]) -> float:
        match transform:
            case "grad":
                return func.grad(f)(x).item()
            case "jvp":
                return func.jvp(f, (x,), (torch.ones_like(x),))[1].item()
            case "grad of vmap":
                return func.grad(lambda y: func.vmap(f)(y.expand(2)).sum())(x).item() / 2
            case _:
                return func.vmap(func.grad(f))(x.expand(2))[1].item()

    with pytest.raises(adamcore.errors.BackendError, match="differentiable=True"):
        derivative(lambda y: stepped(y, start))
    h = 1e-6
    difference = (stepped(x + h, start) - stepped(x - h, start)) / (2 * h)
    assert abs(difference) > 0.01
    got = derivative(lambda y: stepped(y, start, differentiable=True))
    assert got == pytest.approx(difference.item(), rel=1e-6)
    # what does not depend on the input may be stepped
    assert derivative(lambda y: stepped(torch.tensor(0.5), torch.ones(2)).double() * 0 + y) == 1.0
    assert derivative(lambda y: stepped(y.detach(), start) * 0 + y) == 1.0


# -------------------------------------------------------- momenta, fake tensors, subclasses


@pytest.mark.parametrize("name", ["CyclicLR", "OneCycleLR"])
def test_momenta_as_tensors(name: str) -> None:
    """A scheduler leaves betas of a tensor and a float; they are those of PyTorch's, and are stepped with."""
    found: list[Any] = []
    for cls in (torch.optim.Adam, Adam, Adam):
        params = parameters((3,))
        numbers = cls is Adam and bool(found[1:])
        low, high = (0.75, 0.875) if numbers else (torch.tensor(0.75), torch.tensor(0.875))
        optimizer: Any = cls(params, lr=0.05)
        kinds: dict[str, Any] = {
            "CyclicLR": lambda o, a, b: lrs.CyclicLR(o, 0.01, 0.1, 3, base_momentum=a, max_momentum=b),
            "OneCycleLR": lambda o, a, b: lrs.OneCycleLR(o, 0.1, 12, base_momentum=a, max_momentum=b),
        }
        scheduler = kinds[name](optimizer, low, high)
        for t in range(8):
            give(params, gradients(params, t))
            optimizer.step()
            scheduler.step()
        found.append(([float(b) for b in optimizer.param_groups[0]["betas"]], params[0].detach().clone()))
        if cls is Adam:
            again = Adam(params)
            again.load_state_dict(optimizer.state_dict())
            assert [float(b) for b in again.param_groups[0]["betas"]] == found[-1][0]
    theirs, ours, plain = found
    assert ours[0] == pytest.approx(theirs[0])
    assert ours[0] == pytest.approx(plain[0])
    assert torch.allclose(ours[1], plain[1])
    assert torch.allclose(ours[1], theirs[1])


@pytest.mark.parametrize(
    "settings",
    [{}, {"amsgrad": True, "weight_decay": 0.1}, {"clock": "global"}, {"dialect": "torch.NAdam"},
     {"dialect": "keras.Adam"}, {"capturable": True}, {"fused": True}],
)  # fmt: skip
def test_fake_tensors(settings: dict[str, Any]) -> None:
    """As an estimator of memory runs it: steps, a state_dict and back, without a value."""
    from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

    with warnings.catch_warnings(), FakeTensorMode():
        warnings.simplefilter("error")
        model = torch.nn.Linear(3, 2)
        optimizer = Adam(model.parameters(), **settings)
        for t in range(4):
            model(torch.ones(1, 3)).sum().backward()
            optimizer.step()
            if t == 1:
                optimizer.load_state_dict(optimizer.state_dict())
            optimizer.zero_grad()
        state = optimizer.state[model.weight]
        assert isinstance(state["exp_avg"], FakeTensor)
        assert state["exp_avg_sq"].shape == (2, 3)


def test_made_inside_a_compiled_function() -> None:
    """From a list, from a module, with groups; it steps as outside."""
    found = []
    for compiling in (False, True):
        for settings in ({}, {"amsgrad": True, "weight_decay": 0.1}):
            [p] = parameters((3,))

            def run(g: torch.Tensor, p: Any = p, settings: Any = settings) -> torch.Tensor:
                optimizer = AdamW([{"params": [p]}], lr=0.1, **settings)
                for _ in range(2):
                    p.grad = g
                    optimizer.step()
                return p.sum()

            torch._dynamo.reset()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                (torch.compile(run, backend="eager") if compiling else run)(torch.ones(3))
            found.append(p.detach().clone())
    assert torch.allclose(found[0], found[2])
    assert torch.allclose(found[1], found[3])
    assert not torch.equal(found[0], found[1])


def test_the_bits_do_not_depend_on_the_kind_of_tensor() -> None:
    """A subclass, a DTensor and a parameter that is not contiguous, beside a plain one of the same values."""
    from torch.distributed import device_mesh, tensor
    from torch.testing._internal.distributed.fake_pg import FakeStore

    class Sub(torch.Tensor):
        pass

    torch.manual_seed(0)
    start, grads = torch.randn(64, 65), [torch.randn(64, 65) for _ in range(5)]
    torch.distributed.init_process_group("fake", store=FakeStore(), rank=0, world_size=1)
    try:
        mesh = device_mesh.init_device_mesh("cpu", (1,))

        def spread(x: torch.Tensor) -> Any:
            return tensor.DTensor.from_local(x, mesh, [tensor.Replicate()])

        kinds: dict[str, Callable[[torch.Tensor], Any]] = {
            "plain": torch.clone,
            "turned": lambda x: x.t().contiguous().t(),
            "every other": lambda x: torch.stack([x, x], -1)[..., 0],
            "subclass": lambda x: x.clone().as_subclass(Sub),
            "DTensor": lambda x: spread(x.clone()),
        }
        for settings in ({"weight_decay": 0.1}, {"amsgrad": True, "lr": torch.tensor(1e-3)}):
            params = {name: Parameter(kind(start)) for name, kind in kinds.items()}
            optimizer = AdamW(params.values(), **settings)
            for g in grads:
                for name, p in params.items():
                    p.grad = kinds[name](g)
                optimizer.step()
            kept = optimizer.state_dict()["state"]
            then = [own["exp_avg_sq"].clone() for own in kept.values()]
            optimizer.step()
            for own, before in zip(kept.values(), then, strict=True):
                now = own["exp_avg_sq"]
                now, before = (x.to_local() if isinstance(x, tensor.DTensor) else x for x in (now, before))
                assert torch.equal(now.as_subclass(torch.Tensor), before.as_subclass(torch.Tensor))
            for name, p in params.items():
                detached: Any = p.detach()
                value = detached.to_local() if name == "DTensor" else detached
                assert torch.equal(value.as_subclass(torch.Tensor), params["plain"].detach()), name
    finally:
        torch.distributed.destroy_process_group()


def test_a_functional_tensor_is_stepped_without_its_memory() -> None:
    """It has none: machine code on its address, which is 0, would end the process."""
    p, q = Parameter(torch._to_functional_tensor(torch.ones(4))), Parameter(torch.ones(4))
    ours, theirs = AdamW([p]), AdamW([q])
    for _ in range(3):
        p.grad, q.grad = torch._to_functional_tensor(torch.ones(4)), torch.ones(4)
        ours.step()
        theirs.step()
    torch._sync(p)  # type: ignore[attr-defined]
    assert torch.equal(torch._from_functional_tensor(p.detach()), q)


def test_a_class_without_arithmetic_is_refused_by_name() -> None:
    class Codes(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func in (torch.Tensor.add, torch.Tensor.__add__):
                raise NotImplementedError("no arithmetic")
            return super().__torch_function__(func, types, args, kwargs or {})

    p = Parameter(torch.ones(4).as_subclass(Codes))
    p.grad = torch.ones(4).as_subclass(Codes)
    optimizer = AdamW([p])
    with pytest.raises(BackendError, match=r"is a .*\.Codes, which cannot be added"):
        optimizer.step()
    assert not optimizer.state


# --------------------------------------------------------- settings changed under torch.compile

SETTINGS: dict[str, Callable[[dict[str, Any], int], Any]] = {
    "lr": lambda g, k: g.update(lr=0.1 / (k + 1)),
    "lr a whole number": lambda g, k: g.update(lr=k % 3),
    "betas": lambda g, k: g.update(betas=(0.5 + 0.05 * k, 0.9)),
    "a beta of 0": lambda g, k: g.update(betas=(0.5 * (k % 2), 0.9)),
    "a beta that is a tensor": lambda g, k: g.update(betas=(torch.tensor(0.5 + 0.05 * k), 0.9)),
    "weight_decay": lambda g, k: g.update(weight_decay=0.1 + 0.1 * k),
    "weight_decay from 0": lambda g, k: g.update(weight_decay=0.1 * (k % 3)),
    "eps": lambda g, k: g.update(eps=0.1 * (k + 1)),
    "eps from 0": lambda g, k: g.update(eps=0.1 * (k % 3)),
    "eps_root": lambda g, k: g.update(eps_root=0.1 * k),
    "epsilon": lambda g, k: g.update(epsilon="inside-corrected" if k % 3 else "outside-corrected"),
    "maximize": lambda g, k: g.update(maximize=bool(k % 2)),
    "all": lambda g, k: g.update(lr=0.1 / (k + 1), betas=(0.5 + 0.05 * k, 0.9), eps=0.1 * (k + 1)),
}


@pytest.mark.parametrize(
    ("name", "settings"), some([*((name, {}) for name in SETTINGS), ("betas", {"dialect": "torch.NAdam"})], 5)
)
def test_a_setting_changed_under_compilation(name: str, settings: dict[str, Any]) -> None:
    """Every step is made with the settings of then; numbers of before and after need two programs."""
    found, counter = [], Counter()
    for compiling in (False, True):
        params = parameters((3,), (2,))
        optimizer = AdamW([{"params": [p]} for p in params], lr=0.1, **settings)
        step = compiled(optimizer, counter) if compiling else optimizer.step
        for k in range(5):
            give(params, gradients(params, k))
            step()
            for group in optimizer.param_groups:
                SETTINGS[name](group, k)
        found.append([p.detach().clone() for p in params])
    for a, b in zip(*found, strict=True):
        assert torch.allclose(a, b, rtol=1e-6, atol=1e-7)
    if name in ("lr", "betas", "weight_decay", "eps"):
        assert counter.graphs == 2


@pytest.mark.parametrize("name", some(["lr", "betas", "weight_decay", "eps"], 1))
def test_a_number_is_an_input_of_the_program_that_autograd_traces(name: str) -> None:
    """PyTorch makes a constant of a float that anything but simple arithmetic takes."""
    params, counter, product = parameters((3,)), Counter(ahead=True), Counter(ahead=True)
    optimizer = AdamW(params, lr=0.1)
    step = compiled(optimizer, counter)
    for k in range(5):
        give(params, gradients(params, k))
        step()
        SETTINGS[name](optimizer.param_groups[0], k)
    multiply = torch.compile(torch.mul, backend=product)
    for k in range(5):
        multiply(torch.ones(3), 0.1 * k)
    assert counter.graphs == product.graphs < 5


@pytest.mark.parametrize(
    ("name", "graphs"),
    some([("weight_decay from 0", 3), ("eps from 0", 2), ("maximize", 2)], 1),
)
def test_a_setting_seen_before_compiles_nothing(name: str, graphs: int) -> None:
    """A setting that comes and goes needs no more programs than in PyTorch's own optimizer."""
    found = []
    for cls in (torch.optim.AdamW, AdamW):
        params, counter = parameters((3,)), Counter()
        optimizer: Any = cls(params, lr=0.1)
        step = compiled(optimizer, counter)
        for k in range(7):
            give(params, gradients(params, k))
            step()
            SETTINGS[name](optimizer.param_groups[0], k)
        found.append(counter.graphs)
    assert found == [graphs, graphs]


def test_onecycle_under_compilation() -> None:
    """Betas cycle with lr: no more programs than PyTorch's own optimizer needs."""
    graphs = []
    for cls in (torch.optim.Adam, Adam):
        counter = Counter()
        params = parameters((3,))
        optimizer: Any = cls(params, lr=0.1)
        step = compiled(optimizer, counter)
        scheduler = lrs.OneCycleLR(optimizer, 0.1, total_steps=20)
        for t in range(6):
            give(params, gradients(params, t))
            step()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the scheduler does not see the compiled step
                scheduler.step()
        graphs.append(counter.graphs)
    assert graphs[1] <= graphs[0]

#!/bin/bash
# tianshou: the linear schedule of an off-policy algorithm goes below 0, and the optimizer steps uphill.
#
# Versions:  tianshou 2.0.1, gymnasium 1.4.0, torch 2.13.0, numpy 2.4.6, Python 3.11, on the CPU.
# Behaviour: LRSchedulerFactoryLinear falls from 1 to 0 in as many steps as data are collected in the run, and does not
#            stop there. A scheduler is stepped in each update: once for what is collected in PPO and A2C, where the schedule
#            is right, and by default once for each environment step in DQN, SAC, TD3 and all that learn from a replay
#            buffer. If 10 environment steps are collected at once, the rate is 0 after a tenth of the run, and then
#            negative: it ends at -9 times the rate that was given, and the network is trained away from what it has
#            learnt. No optimizer refuses a rate that becomes negative, and nothing warns. The high-level API takes the
#            schedule for SAC and DQN too.
# Source:    tianshou/algorithm/optim.py: LRSchedulerFactoryLinear counts ceil(epoch_num_steps / collection_step_num_env_steps)
#            an epoch. tianshou/algorithm/algorithm_base.py: Algorithm._update steps the schedulers.
# Advice:    Give an off-policy algorithm a factory of your own, whose schedule counts updates and stops at 0.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 || exit 2
"$home/venv/bin/pip" install --quiet tianshou==2.0.1 gymnasium==1.4.0 torch==2.13.0 numpy==2.4.6 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import sys
import warnings
from importlib.metadata import version

import gymnasium
import numpy as np
import torch
from tianshou.algorithm import A2C, DQN
from tianshou.algorithm.modelfree.dqn import DiscreteQLearningPolicy
from tianshou.algorithm.modelfree.reinforce import ProbabilisticActorPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory, LRSchedulerFactoryLinear
from tianshou.data import Collector, CollectStats, VectorReplayBuffer
from tianshou.env import DummyVectorEnv
from tianshou.trainer import OffPolicyTrainerParams, OnPolicyTrainerParams
from tianshou.utils.net.common import Net
from tianshou.utils.net.discrete import DiscreteActor, DiscreteCritic

RATE, EPOCHS, STEPS = 1e-3, 2, 100
environment = gymnasium.make("CartPole-v1")


def factory(collected):
    schedule = LRSchedulerFactoryLinear(
        max_epochs=EPOCHS, epoch_num_steps=STEPS, collection_step_num_env_steps=collected
    )
    return AdamOptimizerFactory(lr=RATE).with_lr_scheduler_factory(schedule)


def network():
    return Net(state_shape=4, action_shape=2, hidden_sizes=[8])


def off_policy(optimizer):
    policy = DiscreteQLearningPolicy(model=network(), action_space=environment.action_space, eps_training=0.1)
    return DQN(policy=policy, optim=optimizer), OffPolicyTrainerParams, {"batch_size": 16}


def on_policy(optimizer):
    preprocess = Net(state_shape=4, hidden_sizes=[8])
    policy = ProbabilisticActorPolicy(
        actor=DiscreteActor(preprocess_net=preprocess, action_shape=2),
        dist_fn=torch.distributions.Categorical,
        action_space=environment.action_space,
        action_scaling=False,
    )
    algorithm = A2C(policy=policy, critic=DiscreteCritic(preprocess_net=preprocess), optim=optimizer)
    return algorithm, OnPolicyTrainerParams, {"batch_size": None, "update_step_num_repetitions": 1}


def rates(make, collected):
    """Return the rate of each step of the optimizer in a run."""
    torch.manual_seed(0)
    np.random.seed(0)
    algorithm, trainer, settings = make(factory(collected))
    seen = []
    optimizer = algorithm.lr_schedulers[0].optimizer
    optimizer.register_step_pre_hook(lambda *_: seen.append(optimizer.param_groups[0]["lr"]))
    environments = DummyVectorEnv([lambda: gymnasium.make("CartPole-v1")] * 2)
    algorithm.run_training(
        trainer(
            training_collector=Collector[CollectStats](algorithm, environments, VectorReplayBuffer(1000, 2)),
            max_epochs=EPOCHS,
            epoch_num_steps=STEPS,
            collection_step_num_env_steps=collected,
            show_progress=False,
            verbose=False,
            **settings,
        )
    )
    return np.array(seen) / RATE


warnings.simplefilter("error", UserWarning)  # those of PyTorch's schedulers and optimizers
cases = [  # the number of updates, and the last rate, as a part of the first
    (on_policy, 10, 20, 1 / 20),
    (off_policy, 2, 200, 1 - 199 / 100),
    (off_policy, 10, 200, 1 - 199 / 20),
]
print(f"tianshou {version('tianshou')}: a run of {EPOCHS * STEPS} environment steps")
for make, collected, updates, last in cases:
    found = rates(make, collected)
    name = f"{make.__name__.replace('_', '-')}, {collected} collected at once"
    print(f"  {name}: {len(found)} updates, {(found < 0).sum()} at a negative rate, the last at {found[-1]:.3f} of the first")
    if len(found) != updates or abs(found[-1] - last) > 1e-6:
        sys.exit("CHANGED")
print("as described: off-policy, the linear schedule goes below 0")
PROGRAM
TQDM_DISABLE=1 "$home/venv/bin/python" "$home/program.py"

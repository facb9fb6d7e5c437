#!/bin/bash
# A DeepSpeed ZeRO 1 or 2 run that resumes clips gradients as the run did that saved the checkpoint.
#
# Versions:  deepspeed 0.19.8, torch 2.13.0, Python 3.11, on the CPU with gloo, one process.
# Behaviour: load_checkpoint sets the optimizer's clip_grad to the checkpoint's. The resumed run's own
#            gradient_clipping has no effect, in either direction: with 0.0 it clips at the 1.0 of the run before,
#            and with 1.0 it clips nothing after a run that did not. engine.gradient_clipping() goes on to return
#            the configured number, and nothing is logged. From 0.19.3 on the default is 1.0 and was 0.0 before
#            (pull request 8068), so that a checkpoint of an older release goes on without the clipping of a new one.
#            ZeRO 3 clips as it is configured.
# Source:    deepspeed/runtime/zero/stage_1_and_2.py, _load_global_state: self.clip_grad = checkpoint_clip_grad.
#            bf16_optimizer.py and fp16/fused_optimizer.py load it as well.
# Advice:    After load_checkpoint, set engine.optimizer.clip_grad = engine.gradient_clipping().
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
export DS_ACCELERATOR=cpu
python3 -m venv "$home/venv" || exit 2
"$home/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 setuptools ninja || exit 2
"$home/venv/bin/pip" install --quiet --no-build-isolation deepspeed==0.19.8 || exit 2
cat > "$home/program.py" <<'PROGRAM'
import os
import sys
import warnings

os.environ |= {"DS_ACCELERATOR": "cpu", "RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0"}
os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29517"}
warnings.simplefilter("ignore")
import deepspeed
import torch

deepspeed.utils.logger.setLevel("ERROR")
deepspeed.init_distributed(dist_backend="gloo")
print(f"deepspeed {deepspeed.__version__}, torch {torch.__version__}, one process, gloo")


def moved(stage, clipping, load=None, save=None, configured_again=False):
    """How far a step of plain SGD with lr 1 moves two parameters whose gradient is (3, 4), of norm 5."""
    model = torch.nn.Linear(2, 1, bias=False)
    config = {
        "train_micro_batch_size_per_gpu": 1,
        "gradient_clipping": clipping,
        "zero_optimization": {"stage": stage},
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
    }
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    engine, *_ = deepspeed.initialize(model=model, optimizer=optimizer, config=config)
    if load:
        engine.load_checkpoint(load)
    before = model.weight.detach().clone()
    if configured_again:
        engine.optimizer.clip_grad = engine.gradient_clipping()
    engine.backward(engine(torch.tensor([[3.0, 4.0]])).sum())
    engine.step()
    if save:
        engine.save_checkpoint(save)
    distance = (model.weight.detach() - before).norm().item()
    print(f"  ZeRO {stage}, gradient_clipping {clipping}, {'from ' + load if load else 'anew':13} {distance:.3f}"
          f"  (engine: {engine.gradient_clipping()}, optimizer: {engine.optimizer.clip_grad})")
    return round(distance, 3)


for stage in (1, 2):
    if (moved(stage, 1.0, save=f"clipped{stage}"), moved(stage, 0.0, save=f"free{stage}")) != (1.0, 5.0):
        sys.exit("CHANGED: a run that starts anew does not clip as it is configured")
    if (moved(stage, 0.0, load=f"clipped{stage}"), moved(stage, 1.0, load=f"free{stage}")) != (1.0, 5.0):
        sys.exit("CHANGED: a resumed run clips as it is configured")
    if moved(stage, 0.0, load=f"clipped{stage}", configured_again=True) != 5.0:
        sys.exit("CHANGED: setting clip_grad after load_checkpoint does not help")
print("as described: a resumed run clips as the checkpoint says")
PROGRAM
cd "$home"
PATH="$home/venv/bin:$PATH" venv/bin/python program.py

"""Training steps of the CUDA executor: time, and share of what the device's memory bandwidth allows.

    python benchmarks/cuda_step.py [--quick] [--model NAME]

One line per model and number of replicas R. ``bound_microseconds`` is the time in which the device could move the
bytes of one step of all replicas (see eiann/program/traffic.py) at the bandwidth that a copy reaches in the same run;
``share`` is that time over the measured one. ``least_share`` is the same for the bytes that a step cannot do without.
Without a CUDA device there is one line that says so: `make bench` goes on.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import torch
from figures import emit
from train_step import MODELS, config_of, samples

import eiann
from eiann.executors.base import TrainingData
from eiann.executors.choose import DEVICE_EXECUTORS
from eiann.program.compile import compile_training
from eiann.program.idle import without_idle_constraints
from eiann.program.liveness import pruned
from eiann.program.traffic import step_traffic

DEFAULT = ("spiral DTP", "MNIST 5J")
COPIED_BYTES = 2**30


def bandwidth() -> float:
    """Bytes per second, read and written, of copies within the device: best of several."""
    source = torch.ones(COPIED_BYTES // 4, device="cuda")
    target = torch.empty_like(source)
    best = 0.0
    for _ in range(10):
        torch.cuda.synchronize()
        start = time.perf_counter()
        target.copy_(source)
        torch.cuda.synchronize()
        best = max(best, 2 * COPIED_BYTES / (time.perf_counter() - start))
    return best


def measure(model: str, config: eiann.NetworkConfig, replicas: int, steps: int, reached: float) -> None:
    network = eiann.Network(config, seeds=list(range(1, replicas + 1)), device="cuda")
    data = samples(network, 500)
    torch.cuda.reset_peak_memory_stats()
    session = DEVICE_EXECUTORS["cuda"].begin(network, TrainingData(data.inputs, data.targets), ())
    order = torch.randint(0, 500, (replicas, steps), generator=torch.Generator().manual_seed(2))
    start = time.perf_counter()
    session.run(order[:, :11])  # captures the long graph and that of one step
    recording = time.perf_counter() - start
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        session.run(order)
        best = min(best, (time.perf_counter() - start) / steps)
    program = pruned(compile_training(network.architecture), ())
    program = replace(program, operations=without_idle_constraints(program.operations))
    traffic = step_traffic(program, network)
    bound, least = (replicas * moved / reached for moved in (traffic.total, traffic.least))
    emit(
        "cuda_step", model=model, R=replicas, device=torch.cuda.get_device_name(), cuda=torch.version.cuda,
        microseconds=round(best * 1e6, 1), per_replica_microseconds=round(best * 1e6 / replicas, 3),
        bytes_per_replica=traffic.total, bandwidth_GB_per_second=round(reached / 1e9, 1),
        bound_microseconds=round(bound * 1e6, 1), share=round(bound / best, 3), least_share=round(least / best, 3),
        recording_seconds=round(recording, 2), peak_GiB=round(torch.cuda.max_memory_allocated() / 2**30, 3),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer steps and replicas")
    parser.add_argument("--model", action="append", choices=list(MODELS), help="only this one (may be repeated)")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        emit("cuda_step", measured=False, reason="this machine has no CUDA device")
        return
    reached = bandwidth()
    for model in options.model or DEFAULT:
        config = config_of(MODELS[model])
        for replicas in (64, 1024) if options.quick else (64, 256, 1024, 4096):
            try:
                measure(model, config, replicas, 100 if options.quick else 500, reached)
            except torch.cuda.OutOfMemoryError:
                emit("cuda_step", model=model, R=replicas, measured=False, reason="the device's memory is too small")
                torch.cuda.empty_cache()


if __name__ == "__main__":
    main()

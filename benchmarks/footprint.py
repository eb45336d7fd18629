"""Memory of a large batch, and time from a network file to the end of the first step, each in a process of its own.

    python benchmarks/footprint.py [--out FILE]

Memory: the peak of a process that trains 80 replicas of the MNIST-sized 5J network, everything included. Start: from a
resolved configuration to the end of the first step, with the interpreter in the cache (warm) and without it (cold).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from figures import also_write_to, emit

PROGRAM = """
import json, resource, sys, time
import torch
from train_step import Run, config_of
torch.set_num_threads(1)
model, replicas, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
config = config_of(model)
imported = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
clock, processor = time.perf_counter(), time.process_time()
run = Run(config, replicas, "native")
run.block(1)
seconds, own = time.perf_counter() - clock, time.process_time() - processor
if steps:
    run.block(steps)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"seconds": seconds, "processor_seconds": own, "peak": peak / 2**20, "imported": imported / 2**20}))
"""


def process(model: str, replicas: int, steps: int, cache: str | None = None) -> dict[str, float]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    if cache is not None:
        environment["EIANN_CACHE"] = cache
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, model, str(replicas), str(steps)],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return {key: float(value) for key, value in json.loads(done.stdout).items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="append the lines to this file too")
    also_write_to(parser.parse_args().out)
    batch = process("MNIST 5J", 80, 5)
    emit(
        "train_step memory", model="MNIST 5J", R=80, peak_GiB=round(batch["peak"], 3),
        limit_GiB=round(1.2e9 / 2**30, 3), of_which_after_import_GiB=round(batch["imported"], 3),
    )  # fmt: skip
    for model in ("spiral DTP", "MNIST 5J"):
        with tempfile.TemporaryDirectory() as cache:
            cold, warm = process(model, 5, 0, cache), process(model, 5, 0, cache)
        emit(
            "train_step start", model=model, R=5, warm_seconds=round(warm["seconds"], 2),
            warm_processor_seconds=round(warm["processor_seconds"], 2), cold_seconds=round(cold["seconds"], 2),
        )  # fmt: skip


if __name__ == "__main__":
    main()

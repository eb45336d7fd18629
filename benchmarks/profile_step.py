"""Where the native executor spends a training step: cycles per operation of the program, most expensive first.

    python benchmarks/profile_step.py MODEL [--replicas R] [--steps N] [--top N]

MODEL is one of ``benchmarks/train_step.py``. The interpreter is compiled once more with a cycle counter around each
operation (x86 only). Columns: share, thousands of cycles on
average (what another process interrupted is left out) and at best. Weights are named by their projection.
"""

from __future__ import annotations

import argparse
import ctypes
import tempfile
from collections import defaultdict
from pathlib import Path

import torch
from train_step import MODELS, config_of, samples

import eiann
from eiann.executors.base import TrainingData
from eiann.executors.native import executor, library
from eiann.executors.native.lowering import CODES

OF_A_WEIGHT = ("MATVEC", "MATVEC_T", "UPDATE_ROWS", "OJA", "BTSP", "NORMALIZE", "CLONE", "CLAMP_WEIGHT")


def profiled_library(folder: Path) -> ctypes.CDLL:
    target = folder / "profiled.so"
    compiler = library.find_compiler()
    assert compiler is not None
    library.build(compiler, target, ("-DEIANN_PROFILE",))
    return ctypes.CDLL(str(target))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=list(MODELS))
    parser.add_argument("--replicas", type=int, default=1)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--warm", type=int, default=300)
    parser.add_argument("--top", type=int, default=14)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        found = profiled_library(Path(folder))
        executor.load = lambda: (found, "")  # type: ignore[assignment]
        network = eiann.Network(config_of(options.model), seeds=list(range(options.replicas)))
        data = samples(network, 500)
        session = executor.NativeSession(network, TrainingData(data.inputs, data.targets), ())
        cycles = (ctypes.c_uint64 * (3 << 16)).in_dll(found, "eiann_cycles")
        order = torch.randint(0, 500, (options.replicas, options.warm + options.steps))
        session.run(order[:, : options.warm])
        ctypes.memset(cycles, 0, ctypes.sizeof(cycles))
        session.run(order[:, options.warm :])
        code = session._arenas.lowered.code  # noqa: SLF001
        names = {number: name for name, number in CODES.items()}
        totals: dict[str, float] = defaultdict(float)
        leasts: dict[str, float] = defaultdict(float)
        position = 0
        while position < len(code):
            name = names[code[position]]
            where = network.architecture.projections[code[position + 2]].name if name in OF_A_WEIGHT else ""
            total, count, least = cycles[3 * position : 3 * position + 3]
            totals[f"{name} {where}"] += total / max(count, 1)
            leasts[f"{name} {where}"] += least
            position += 2 + code[position + 1]
        whole = sum(totals.values())
        best = sum(leasts.values())
        title = f"{options.model}, R = {options.replicas}"
        print(f"{title}: {whole / 1000:.1f} kcycles per step, {best / 1000:.1f} at best")
        for name in sorted(totals, key=totals.__getitem__, reverse=True)[: options.top]:
            usual, least = totals[name] / 1000, leasts[name] / 1000
            print(f"{100 * totals[name] / whole:6.1f} %  {usual:8.2f}  {least:8.2f}  {name}")


if __name__ == "__main__":
    main()

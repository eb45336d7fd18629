"""Write docs/speed.md from what the benchmarks measured last: ``python docs/make_speed.py``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from optimize.space import SearchSpace

FOLDER: Final = Path(__file__).parent
PAGE: Final = FOLDER / "speed.md"
RESULTS: Final = FOLDER.parent / "benchmarks" / "results"
REPLICAS: Final = 20
CORES: Final = 64
TRAININGS: Final = 150_000
"""The published searches: 30,000 candidates, five seeds each."""

HEAD: Final = """\
# Speed

Made from `benchmarks/results` by `python docs/make_speed.py`; do not edit. Your own machine's figures: `make bench`.

A search costs what its training steps cost. On a CPU they run in the native executor: a small C++ interpreter, compiled
at its first use, that takes a whole block of samples in one call, replica after replica in cache, and leaves out silent
units. It computes the numbers of the torch executor, which is the reference
([020](decisions/020-native-kernels.md), [021](decisions/021-conformance.md)).

## One training step of one network, on one core

Microseconds for each replica of a batch of {replicas}; {processor}, Python {python}, torch {torch}. The torch executor
trains one network, its best case in a comparison by cores. *By hand* is the same network as one writes it down in
PyTorch, with autograd where the rule is backprop (`benchmarks/plain_network.py`). Where rules are local it is less than
a step, the forward phase, outer products and bounds only, so that the ratio is a lower bound.

| model | native | torch | | by hand | | trained once | searched |
|---|---|---|---|---|---|---|---|
{rows}

*Trained once*: the steps of one training of the search space, without its evaluation. *Searched*: {trainings:,} such
trainings on {cores} such cores; the published search of a model took as many.

Two threads on one pack take {threads} of the time of one, over {models} models: so cores are better used by several
packs with a thread each, as studies do.

## A search around them

{search}

## On a GPU

The executor for CUDA captures the step of all replicas in a graph. It is written, and its parts are tested without a
GPU; it has not been measured on one. `python benchmarks/cuda_step.py` does that where there is one.
"""


def page() -> str:
    """The page's text."""
    steps = _last("train_step", "train_step_*.jsonl", ("model", "R"))
    by_hand = _last("plain_network", "plain_network_*.jsonl", ("model",))
    of_interest = [line for (_, replicas), line in steps.items() if replicas == REPLICAS]
    one = of_interest[0]
    scaling = _last("train_step scaling", "train_step_*.jsonl", ("model",))
    shares = sorted(1 / line["speedup_of_two_threads"] for line in scaling.values())
    return HEAD.format(
        replicas=REPLICAS,
        processor=one["processor"],
        python=one["python"],
        torch=one["versions"]["torch"],
        rows="\n".join(_row(line, by_hand.get((line["model"],))) for line in of_interest),
        trainings=TRAININGS,
        cores=CORES,
        threads=f"{shares[0]:.2f} to {shares[-1]:.2f}",
        models=len(shares),
        search=_search(),
    )


def _row(line: dict[str, Any], by_hand: dict[str, Any] | None) -> str:
    microseconds = line["microseconds"]
    torch = f"{line['torch_at_one_replica_microseconds']:,.0f} | {line['ratio']:.0f}x"
    plain = " | "
    if by_hand:
        least = "" if by_hand["plain_is"] == "whole step" else "> "
        plain = f"{least}{by_hand['plain_microseconds']:,.0f} | {least}{by_hand['native_ratio']:.0f}x"
    run = SearchSpace.load(line["network"]).document.run
    seconds = run.steps * run.epochs * microseconds / 1e6
    return (
        f"| {line['model']} (`{line['network']}`) | {microseconds:.3g} | {torch} | {plain} | {_time(seconds)} | "
        f"{_time(seconds * TRAININGS / CORES)} |"
    )


def _search() -> str:
    overhead = _last("study_overhead", "study_overhead_*.jsonl", ())[()]
    paced = _last("study_paced", "study_overhead_*.jsonl", ())[()]
    memory = _last("study_memory", "study_overhead_*.jsonl", ("sampler",))
    tables = _last("storage", "storages_*.jsonl", ("storage",))
    grown = ", ".join(
        f"{line['rss_mb'][0]:.0f} to {line['rss_mb'][-1]:.0f} MB ({name})" for (name,), line in memory.items() if name
    )
    opened = ", ".join(f"{line['tables_s']:.1f} s ({name})" for (name,), line in tables.items())
    rate, plain = overhead["trials_per_second"], overhead["plain_ray_tune_seconds_per_trial"]
    share = 100 * paced["driver_and_storage"]
    trials, stored = next(iter(memory.values()))["trials"], next(iter(tables.values()))["trials"]
    return "\n".join(
        (
            f"* {rate:.0f} trials a second where they cost nothing; plain Ray Tune takes {plain:.1f} s for each.",
            f"* Where a pack takes a second, driver and storage have {share:.1f} % of the wall time.",
            f"* The driver's memory in the course of {trials:,} trials: {grown}.",
            f"* The tables of {stored:,} trials of five instances open in {opened}.",
        )
    )


def _time(seconds: float) -> str:
    for unit, length in (("h", 3600), ("min", 60), ("s", 1)):
        if seconds >= 1.5 * length or unit == "s":
            return f"{seconds / length:.2g} {unit}"
    raise AssertionError


def _last(name: str, files: str, keys: tuple[str, ...]) -> dict[tuple[Any, ...], dict[str, Any]]:
    """The last line of that name for each combination of keys, in the order in which they were first measured."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for path in sorted(RESULTS.glob(files)):
        for text in path.read_text(encoding="utf-8").splitlines():
            line = json.loads(text)
            if line["name"] == name:
                found[tuple(line.get(key) for key in keys)] = line
    return found


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

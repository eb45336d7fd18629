"""Random faults, and a tally of what became of the studies.

    python -m tests.faults [-n N] [--seed S] [--ray SHARE] [--join] [--out FILE]

One JSON line for each fault, then a table. Exit code 1 if anything was lost, duplicated or changed. Any fault can be
repeated by its kind, storage and seed.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from tests.faults import inline, on_ray
from tests.faults.cluster import TwoMachines
from tests.optimize.postgres import PostgresServer


def plan(
    count: int, seed: int, share: float, storages: Sequence[str], kinds: str = ""
) -> Iterator[tuple[str, str, int, bool]]:
    """Kind, storage and seed of each fault, and whether it happens to a driver on Ray."""
    rng = Random(seed)
    names = [name for name in inline.FAULTS if kinds in name]
    if os.getuid() != 0:
        names.remove("disk full")
    weights = [inline.FAULTS[name][2] for name in names]
    for _ in range(count):
        if rng.random() < share:
            yield rng.choice([name for name in on_ray.FAULTS if kinds in name]), "sqlite", rng.randrange(2**31), True
            continue
        (kind,) = rng.choices(names, weights)
        possible = [storage for storage in inline.FAULTS[kind][1] if storage in storages]
        if possible:
            yield kind, rng.choice(possible), rng.randrange(2**31), False


def tally(records: Sequence[Mapping[str, Any]]) -> Table:
    """What became of the studies, by kind of fault."""
    table = Table(title=f"{len(records)} faults", title_justify="left")
    for column in ("fault", "driver"):
        table.add_column(column)
    for column in ("count", "trials", "lost", "duplicated", "changed", "other", "undisturbed table"):
        table.add_column(column, justify="right")
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for record in records:
        groups[record["kind"], record["driver"]].append(record)
    rows = [*sorted(groups.items()), (("all", ""), list(records))]
    for (kind, driver), group in rows:
        sums = [sum(record.get(key, 0) for record in group) for key in ("trials", "lost", "duplicated", "changed")]
        other = sum(not record["clean"] and "lost" not in record for record in group)
        same = sum(record.get("same_order", False) for record in group)
        if kind == "all":
            table.add_section()
        table.add_row(kind, driver, str(len(group)), *map(str, sums), str(other), str(same))
    return table


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=20, help="faults")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ray", type=float, default=0.1, metavar="SHARE", help="of the faults, with a driver on Ray")
    parser.add_argument("--join", action="store_true", help="one cluster of two machines for all of them")
    parser.add_argument("--kinds", default="", metavar="TEXT", help="only kinds with this in their name")
    parser.add_argument("--out", type=Path, help="append the JSON lines to this file too")
    options = parser.parse_args()
    # Otherwise its servers, clusters and drivers would outlive it.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    records = []
    with ExitStack() as stack:
        server = _postgres(stack)
        storages = inline.STORAGES if server else inline.STORAGES[:2]
        cluster = TwoMachines() if options.join else None
        if cluster:
            stack.callback(cluster.remove)
        for kind, storage, seed, with_ray in plan(options.n, options.seed, options.ray, storages, options.kinds):
            record = on_ray.happen(kind, seed, cluster) if with_ray else inline.happen(kind, storage, seed, server)
            line = json.dumps(record)
            print(line, flush=True)
            if options.out:
                with options.out.open("a") as file:
                    file.write(line + "\n")
            records.append(record)
    Console(width=120).print(tally(records))
    return 0 if all(record["clean"] for record in records) else 1


def _postgres(stack: ExitStack) -> PostgresServer | None:
    try:
        server = PostgresServer()
    except pytest.skip.Exception as reason:
        print(f"without PostgreSQL: {reason}", file=sys.stderr)
        return None
    stack.callback(server.remove)
    return server


if __name__ == "__main__":
    sys.exit(main())

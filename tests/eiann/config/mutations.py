"""Broken network files, made from good ones by accident."""

# ruff: noqa: E501 - a case of a table stands on one line

import copy
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import search_spaces
from eiann.config import NetworkConfig
from eiann.config.writing import write_text

ODD_VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 2.5, -0.0, 10**30, 1e300, 10**400, float("nan"), float("inf"), "", " ", "None", "null", "1e-3", "x",
    "H1.E", "H1E_InputE", "remove", "fixed", "any", "below.E", "E <- below.E", "init 1", "rule", "rule X(", "init [[[", "a=b", "'", "[", "ü",
    "Backprop(learning_rate=0.1)", "uniform(0,1)", "dend, dend", "size 3", "128", [], {}, [None, None], [1, 0], [0, None], [[0]], {"a": {"b": 1}}, {"": 0},
    (0, 1), {"remove": True}, {"rule": {"X": {"y": [1, {"z": 2}]}}}, "\0", "a\nb", b"x", {1: 2}, object(), [object()], {"E": None},
]  # fmt: skip
ODD_KEYS = ["size", "sise", "learning_rule", "rule", "", "_", "H1", "H1.E", "E", "any", "below.E", "E <- E", "<-", "bias", "type", "extends",
            "layers", "layer_config", "seed", "x y", "*", "[", "cells", "order", "kernel_size", "rule.x", "init.scale", "compartment", "weight_init_args"]  # fmt: skip
ODD_TEXT = ["*", "&a", "*a", "!!python/tuple", "!!python/object:x", "<<: ", "- ", ": ", "#", "'", '"', "[", "]", "{", "}", ",", "|", ">", "%", "@", "`",
            "\t", "  ", "\n", "---", "...", "1e-3", "null", "? ", "<-", "(", ")", "=", "none", "remove", "\ufeff", "é", "\x07", "..", "any.", "hidden."]  # fmt: skip


def good_files() -> list[Path]:
    folder = Path(search_spaces.__file__).parent
    return sorted(path for path in folder.glob("*/networks/*.yaml"))


def good_texts() -> list[tuple[str, Path]]:
    """Texts of the shipped networks in the compact and the nested form, with the folder that they belong to."""
    texts = []
    for path in good_files()[::4]:
        config = NetworkConfig.from_yaml(path)
        texts += [(path.read_text(encoding="utf-8"), path.parent)]
        texts += [(write_text(config, form), path.parent) for form in ("compact", "nested")]
    return texts


def mutated_text(text: str, rng: random.Random) -> str:
    for _ in range(rng.choice([1, 1, 1, 2, 3, 6])):
        lines = text.split("\n")
        at, other = rng.randrange(len(lines)), rng.randrange(len(lines))
        kind = rng.randrange(7)
        if kind == 0:
            del lines[at]
        elif kind == 1:
            lines.insert(at, lines[other])
        elif kind == 2:
            lines[at], lines[other] = lines[other], lines[at]
        elif kind == 3:
            lines[at] = " " * rng.randrange(9) + lines[at].lstrip()
        else:
            line = lines[at]
            spot = rng.randrange(len(line) + 1)
            rest = line[spot + rng.randrange(4) :] if kind == 4 else line[spot:]
            middle = rng.choice(ODD_TEXT) if kind < 6 else ""
            lines[at] = line[:spot] + middle + (rest if kind < 6 else "")
        text = "\n".join(lines) or "x"
    return text


def mutated_data(data: Any, rng: random.Random) -> Any:
    data = copy.deepcopy(data)
    for _ in range(rng.choice([1, 1, 2, 4])):
        places = list(containers(data))
        if not places:
            return data
        container = rng.choice(places)
        if isinstance(container, list):
            if container and rng.random() < 0.8:
                container[rng.randrange(len(container))] = copy.copy(rng.choice(ODD_VALUES))
            else:
                container.append(copy.copy(rng.choice(ODD_VALUES)))
            continue
        keys = list(container)
        key = rng.choice(keys) if keys and rng.random() < 0.8 else rng.choice(ODD_KEYS)
        kind = rng.randrange(4)
        if kind == 0:
            container.pop(key, None)
        elif kind == 1 and key in container:
            container[rng.choice(ODD_KEYS)] = container.pop(key)
        else:
            container[key] = copy.copy(rng.choice(ODD_VALUES))
    return data


def containers(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        yield value
        for item in value.values() if isinstance(value, dict) else value:
            yield from containers(item)

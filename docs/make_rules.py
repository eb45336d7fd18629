"""Write docs/rules.md and its pictures from the rules themselves: ``python docs/make_rules.py [--pictures]``.

A picture is measured, not drawn: networks of one synapse make one training step each, and what the weight did is shown
over presynaptic activity and the quantity that drives the rule.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from pydantic import BaseModel

import eiann
from eiann.data import Dataset
from eiann.rules import BIAS_RULES, RULES

FOLDER = Path(__file__).parent
PICTURES = FOLDER / "images" / "rules"
LEVELS = 25
RATE = 0.1
HEAD = """\
# Learning rules

Made from the rules by `python docs/make_rules.py`; do not edit. One synapse from a presynaptic unit with activity x to
a postsynaptic unit with activity a and weight W; `[z]` is a clamp to [0, 1], `[z]+-` to [-1, 1]; `u x v` an outer
product with postsynaptic rows. Quantities of the forward phase have the index f: x_f, a_f, d_f. The plateau π is the
selected part of the error that arrives at the dendrite.

Each picture is measured: a network of one synapse makes one training step from every point of the plane (learning rate
0.1), and the colour is the change of the weight, red for stronger and blue for weaker.
"""


@dataclass(frozen=True)
class Plane:
    """What the picture of a rule shows: presynaptic activity across, one more quantity upwards.

    Attributes:
        rule: with its parameters, in the words of network files.
        upwards: ``plateau``, ``activity`` (postsynaptic), ``weight``, or ``error`` (of an output unit, target 1).
        activity, plateau: what they are where they are not varied.
        about: one line below the picture.
    """

    rule: str
    upwards: str
    activity: float = 0.5
    plateau: float = 0.0
    about: str = ""


LABELS = {
    "plateau": ("plateau  π", -1.0, 1.0),
    "activity": ("postsynaptic activity  a", 0.0, 1.0),
    "weight": ("weight  W", 0.0, 2.0),
    "error": ("error  y - a", -1.0, 1.0),
}
NORMALIZED = "Before the weights are normalized."
PLANES = {
    "Backprop": Plane("Backprop", "error", about="An output unit with squared error: the delta rule."),
    "Top_Layer_BP_like_2L": Plane("Top_Layer_BP_like_2L", "error"),
    "BP_like_2E": Plane("BP_like_2E", "plateau"),
    "BP_like_2L": Plane("BP_like_2L", "plateau"),
    "Hebbian_Temporal_Contrast": Plane(
        "Hebbian_Temporal_Contrast", "plateau", about="At a = 0.5, which the plateau moves by as much as it is."
    ),
    "Hebb_WeightNorm": Plane("Hebb_WeightNorm", "activity", about=NORMALIZED),
    "Hebb_WeightNorm_4": Plane("Hebb_WeightNorm_4", "activity", about=NORMALIZED),
    "Ojas_rule": Plane("Ojas_rule", "weight", about="With a = W x: weights end where decay and growth are equal."),
    "Supervised_BCM_4": Plane(
        "Supervised_BCM_4(theta_tau=10, k=0.6, max_pop_fraction=1)",
        "activity",
        about="With the threshold at 0.6 and no nudge: weaker below the threshold, stronger above.",
    ),
    "BTSP_19": Plane(
        "BTSP_19(relu_gate=false)",
        "weight",
        plateau=0.6,
        about="A plateau of 0.6, weights bounded by 2: input strengthens weak weights and weakens strong ones.",
    ),
}


def page() -> str:
    """The text of docs/rules.md."""
    return "\n".join([HEAD, *_rules("Rules of projections", RULES), *_rules("Rules of biases", BIAS_RULES)])


def _rules(title: str, registry: Any) -> Iterator[str]:
    yield f"## {title}\n"
    seen: set[Any] = set()
    for name, rule in registry.items():
        if rule in seen:
            continue
        seen.add(rule)
        yield f"### {name}\n"
        text, described = _prose(inspect.getdoc(rule) or "")
        yield f"{text}\n"
        if name in PLANES:
            yield f"![Change of the weight by {name}](images/rules/{name}.png)\n"
            if PLANES[name].about:
                yield f"*{PLANES[name].about}*\n"
        yield from _parameters(rule, described)


def _prose(docstring: str) -> tuple[str, dict[str, str]]:
    """A docstring as Markdown, and what it says of each parameter."""
    text, _, attributes = docstring.partition("Attributes:\n")
    paragraphs = []
    for paragraph in text.strip().split("\n\n"):
        lines = paragraph.splitlines()
        if all(line.startswith("    ") for line in lines):
            paragraphs.append("\n".join(["```text", *(line[4:] for line in lines), "```"]))
        else:
            paragraphs.append(_escaped(" ".join(lines)))
    described: dict[str, str] = {}
    for name, meaning in re.findall(r"^    (\w+): (.*(?:\n        .*)*)", attributes, re.MULTILINE):
        described[name] = _escaped(" ".join(meaning.split()))
    return "\n\n".join(paragraphs), described


def _escaped(text: str) -> str:
    """Signs of equations, which Markdown would take for its own; code between backquotes stays."""
    parts = re.split(r"(``?[^`]+``?)", text)
    return "".join(part if part.startswith("`") else re.sub(r"([*_\[\]<>|])", r"\\\1", part) for part in parts)


def _parameters(rule: type[BaseModel], described: Mapping[str, str]) -> Iterator[str]:
    if not rule.model_fields:
        return
    inherited = {"learning_rate": "eta; null takes the network's."}
    for base in reversed(rule.__mro__):
        inherited |= _prose(inspect.cleandoc(base.__doc__ or ""))[1] if base.__module__.startswith("eiann.") else {}
    yield "| parameter | default | meaning |\n|---|---|---|"
    for key, field in rule.model_fields.items():
        default = "needed" if field.is_required() else f"`{json.dumps(field.default, default=str)}`"
        yield f"| `{key}` | {default} | {described.get(key) or inherited.get(key, '')} |"
    yield ""


def measured(plane: Plane) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x (columns), the other quantity (rows), and the change of the weight at each point."""
    _, low, high = LABELS[plane.upwards]
    across, up = np.linspace(0.04, 1.0, LEVELS), np.linspace(low, high, LEVELS)
    change = np.array([[_at(plane, float(x), float(value)) for x in across] for value in up])
    return across, up, change


def _at(plane: Plane, x: float, value: float) -> float:
    match plane.upwards:
        case "error":
            return _of_output(plane.rule, x, (1.0 - value) / x)
        case "plateau":
            return _of_hidden(plane.rule, x, plane.activity / x, value)
        case "activity":
            return _of_hidden(plane.rule, x, value / x, plane.plateau)
        case _:
            return _of_hidden(plane.rule, x, value, plane.plateau)


def _of_output(rule: str, x: float, weight: float) -> float:
    """The change of a weight onto an output unit."""
    return _change({"Input": {"E": 1}, "Output": {"E": "1, activation relu"}}, {"Output.E <- Input.E": rule}, x, weight)


def _of_hidden(rule: str, x: float, weight: float, plateau: float) -> float:
    """The change of a weight onto a hidden unit.

    The output unit is silent until its error, which is 1, nudges it; the weight from there to the dendrite then is the
    plateau.
    """
    name, _, _ = rule.partition("(")
    nudging = eiann.rules.RULES.find(name).backward is not None
    layers = {"Input": {"E": 1}, "H1": {"E": "1, activation relu"}, "Output": {"E": "1, activation relu"}}
    projections = {"H1.E <- Input.E": rule, "Output.E <- H1.E": "fixed"}
    if nudging:
        silent = f"{rule.removesuffix(')')}{', ' if '(' in rule else '('}learning_rate=0, relu_gate=false)".replace(
            "relu_gate=false, ", ""
        )
        projections |= {"Output.E <- H1.E": silent, "H1.E <- Output.E": f"fixed, dend, phase B, init fill_({plateau})"}
    return _change(layers, projections, x, weight)


def _change(layers: dict[str, Any], projections: dict[str, str], x: float, weight: float) -> float:
    post = next(iter(projections)).partition(".")[0]
    clauses = {key: value if value.startswith("fixed") else f"rule {value}" for key, value in projections.items()}
    clauses = {key: value if "init" in value else f"{value}, init fill_(0)" for key, value in clauses.items()}
    if "BTSP" in projections[f"{post}.E <- Input.E"]:
        clauses[f"{post}.E <- Input.E"] += ", bounds [null, 2]"
    training = {"tau": 1, "forward_steps": 1, "backward_steps": 1, "learning_rate": RATE}
    config = eiann.NetworkConfig.from_dict({"layers": layers, "projections": clauses, "training": training})
    network = eiann.Network(config, seeds=[0], dtype=torch.float64)
    name = f"module_dict.{post}E_InputE.weight"
    before = torch.tensor([[[weight]]], dtype=torch.float64)
    network.load_state_dict({**network.state_dict(), name: before})
    eiann.train(network, Dataset(torch.tensor([[x]]), torch.ones(1, 1), "one"), data_seeds=[0], executor="torch")
    return float(network.state_dict()[name] - before)


def draw(plane: Plane, name: str) -> None:
    """One picture."""
    across, up, change = measured(plane)
    figure = Figure(figsize=(3.4, 2.7), layout="constrained", dpi=130)
    axes = figure.subplots()
    limit = float(np.nanmax(np.abs(change))) or 1.0
    image = axes.pcolormesh(
        across, up, change, cmap="RdBu_r", vmin=-limit, vmax=limit, shading="nearest", rasterized=True
    )
    axes.contour(across, up, change, levels=[0.0], colors="#444444", linewidths=0.8)
    axes.set_xlabel("presynaptic activity  x")
    axes.set_ylabel(LABELS[plane.upwards][0])
    axes.set_title(name, fontsize=9)
    figure.colorbar(image, ax=axes, label="change of W")
    PICTURES.mkdir(parents=True, exist_ok=True)
    figure.savefig(PICTURES / f"{name}.png")


if __name__ == "__main__":
    if "--pictures" in sys.argv:
        for rule_name, rule_plane in PLANES.items():
            draw(rule_plane, rule_name)
            sys.stdout.write(f"{PICTURES / rule_name}.png\n")
    (FOLDER / "rules.md").write_text(page(), encoding="utf-8")

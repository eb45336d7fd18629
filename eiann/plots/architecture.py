"""Architecture diagram: populations, projections, their signs and their learning rules."""

from __future__ import annotations

import math
import string

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch, PathPatch, Polygon
from matplotlib.path import Path
from matplotlib.text import Text

from eiann.config import NetworkConfig
from eiann.plots import layout as place
from eiann.plots.layout import CLONE, Edge, Key, Layout, Node, lay_out
from eiann.plots.style import EXCITATORY, INHIBITORY, NEUTRAL, require, styled, tint

_INCH = 0.74  # of one unit of the layout
_LEGEND_LINE = 0.42
_TAG_RADIUS = 0.125

_COLORS = {1: EXCITATORY, -1: INHIBITORY, 0: NEUTRAL}
_SIGN_WORDS = {1: "excitatory", -1: "inhibitory", 0: "any sign"}


@styled
def architecture(config: NetworkConfig, *, title: str = "") -> Figure:
    """Diagram of a network: layers from left to right, signal from the input to the output.

    Excitatory populations are orange boxes and end in arrows, inhibitory ones are blue circles and end in dots;
    populations whose weights may have any sign are grey. What ends on the stalk above a box acts on the dendrite.
    Learned weights are thick lines with the letter of their rule, fixed ones are thin; a letter at the corner of a
    population is the rule of its bias. Numbers are sizes.

    Args:
        config: the network.
        title: over the diagram.

    Example:
        >>> architecture(NetworkConfig.from_yaml("network.yaml")).savefig("network.pdf")  # doctest: +SKIP
    """
    require(bool(config.layer_config), "architecture: found no layer; at least one is needed")
    parts = lay_out(config)
    letters = _letters(parts)
    entries = _legend_entries(parts, letters)
    left, right = parts.bands[0].left, parts.bands[-1].right
    lines = _wrap(entries, right - left)
    top = parts.top + 0.38 + (0.42 if title else 0.0)
    bottom = parts.bottom - 0.28 - _LEGEND_LINE * len(lines)
    figure = Figure(figsize=((right - left + 0.3) * _INCH, (top - bottom) * _INCH), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(left - 0.15, right + 0.15), ylim=(bottom, top))
    axes.set_axis_off()
    for band in parts.bands:
        _band(axes, band.left, band.right, parts.bottom, parts.top, band.layer)
    for node in parts.nodes.values():
        if node.dendrite:
            _dendrite(axes, node)
    for edge in sorted(parts.edges, key=lambda one: one.rule is not None):
        _draw_edge(axes, edge, letters)
    for node in parts.nodes.values():
        _draw_node(axes, node, letters)
    for row, line in enumerate(lines):
        _draw_legend_line(axes, line, left + 0.1, parts.bottom - 0.36 - _LEGEND_LINE * row)
    if title:
        axes.text(left, top - 0.12, title, ha="left", va="top", fontsize=10.5, fontweight="bold")
    return figure


def _letters(parts: Layout) -> dict[str, str]:
    """A letter for each learning rule, in order of appearance, projections first."""
    rules = [edge.rule for edge in parts.edges] + [node.bias_rule for node in parts.nodes.values()]
    learned = list(dict.fromkeys(rule for rule in rules if rule is not None and rule != CLONE))
    alphabet = [*string.ascii_uppercase, *(a + b for a in string.ascii_uppercase for b in string.ascii_uppercase)]
    return dict(zip(learned, alphabet, strict=False)) | ({CLONE: "="} if CLONE in rules else {})


def _band(axes: Axes, left: float, right: float, bottom: float, top: float, name: str) -> None:
    box = FancyBboxPatch(
        (left + 0.08, bottom + 0.08),
        right - left - 0.16,
        top - bottom - 0.16,
        boxstyle="round,pad=0,rounding_size=0.14",
        facecolor="#F5F5F3",
        edgecolor="none",
        zorder=0,
    )
    axes.add_patch(box)
    axes.text(
        (left + right) / 2, top + 0.02, name, ha="center", va="bottom", fontsize=9.5, fontweight="bold", color="#333333"
    )


def _dendrite(axes: Axes, node: Node) -> None:
    x = node.x + place.DENDRITE_SHIFT
    color = tint(_COLORS[node.sign], 0.45)
    axes.plot(
        [x, x], [node.y + place.HALF_HEIGHT, place.DENDRITE_TOP], color=color, lw=4.5, solid_capstyle="round", zorder=1
    )


def _draw_node(axes: Axes, node: Node, letters: dict[str, str]) -> None:
    color = _COLORS[node.sign]
    outline: Circle | FancyBboxPatch
    if node.round:
        outline, room = Circle((node.x, node.y), place.RADIUS), 2 * place.RADIUS - 0.1
    else:
        corner = (node.x - place.HALF_WIDTH, node.y - place.HALF_HEIGHT)
        shape = "round,pad=0,rounding_size=0.1"
        outline = FancyBboxPatch(corner, 2 * place.HALF_WIDTH, 2 * place.HALF_HEIGHT, boxstyle=shape)
        room = 2 * place.HALF_WIDTH - 0.1
    outline.set(facecolor=tint(color, 0.82), edgecolor=color, linewidth=1.4, zorder=4)
    axes.add_patch(outline)
    _write(axes, node.x, node.y + (0.1 if node.size else 0.0), node.key[1], 8.0, room).set_fontweight("bold")
    if node.size:
        _write(axes, node.x, node.y - 0.13, node.size, 7.0, room)
    if node.bias_rule:
        x = node.x - (0.33 if node.round else place.HALF_WIDTH - 0.04)
        y = node.y - (0.33 if node.round else place.HALF_HEIGHT - 0.02)
        _tag(axes, x, y, letters[node.bias_rule], NEUTRAL)


def _draw_edge(axes: Axes, edge: Edge, letters: dict[str, str], *, tagged: bool = True) -> None:
    learned = edge.rule is not None and edge.rule != CLONE
    color = _COLORS[edge.sign]
    paint = color if learned else tint(color, 0.25)
    width = 1.7 if learned else 0.8
    axes.add_patch(
        PathPatch(
            Path(list(edge.curve), [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4]),
            facecolor="none",
            edgecolor=paint,
            linewidth=width,
            capstyle="butt",
            zorder=3 if learned else 2,
        )
    )
    _ending(axes, edge, paint, 1.0 if learned else 0.8)
    if edge.rule is not None and tagged:
        x, y = edge.at(edge.tag)
        _tag(axes, x, y, letters[edge.rule], color)


def _ending(axes: Axes, edge: Edge, color: str | tuple[float, float, float], scale: float) -> None:
    """An arrow head, or the dot of inhibition, that touches its target."""
    (x, y), (bx, by) = edge.curve[3], edge.curve[2]
    length = math.hypot(x - bx, y - by) or 1.0
    ux, uy = (x - bx) / length, (y - by) / length
    if edge.sign < 0:
        radius = 0.075 * scale
        axes.add_patch(
            Circle((x - ux * radius, y - uy * radius), radius, facecolor=color, edgecolor="white", lw=0.5, zorder=6)
        )
        return
    long, half = 0.19 * scale, 0.085 * scale
    base = (x - ux * long, y - uy * long)
    corners = [(x, y), (base[0] - uy * half, base[1] + ux * half), (base[0] + uy * half, base[1] - ux * half)]
    axes.add_patch(Polygon(corners, closed=True, facecolor=color, edgecolor="white", lw=0.4, zorder=6))


def _tag(axes: Axes, x: float, y: float, letter: str, color: str) -> None:
    axes.add_patch(Circle((x, y), _TAG_RADIUS, facecolor="white", edgecolor=color, linewidth=0.8, zorder=7))
    axes.text(
        x,
        y - 0.008,
        letter,
        ha="center",
        va="center",
        fontsize=6.3 if len(letter) == 1 else 5,
        zorder=8,
        color="#1A1A1A",
    )


def _write(axes: Axes, x: float, y: float, text: str, largest: float, room: float) -> Text:
    """Centred text, as large as ``room`` units of the layout allow."""
    size = min(largest, room * _INCH * 72 / (0.68 * max(len(text), 1)))
    return axes.text(x, y, text, ha="center", va="center", fontsize=size, zorder=5, color="#1A1A1A")


Entry = tuple[str, str]
"""Kind of the sign in the legend (``sign:1``, ``fixed``, or a letter) and its text."""


def _legend_entries(parts: Layout, letters: dict[str, str]) -> list[Entry]:
    present = {edge.sign for edge in parts.edges}
    signs = [sign for sign in _SIGN_WORDS if sign in present]
    entries = [(f"sign:{sign}", _SIGN_WORDS[sign]) for sign in signs]
    if any(edge.rule is None or edge.rule == CLONE for edge in parts.edges):
        entries.append(("fixed", "not learned"))
    biases = {node.bias_rule for node in parts.nodes.values()}
    for rule, letter in letters.items():
        entries.append(
            (letter, "copy of another weight" if rule == CLONE else rule + (" (bias)" if rule in biases else ""))
        )
    return entries


def _wrap(entries: list[Entry], width: float) -> list[list[Entry]]:
    lines: list[list[Entry]] = [[]]
    used = 0.0
    for entry in entries:
        needed = _entry_width(entry)
        if lines[-1] and used + needed > width - 0.2:
            lines.append([])
            used = 0.0
        lines[-1].append(entry)
        used += needed
    return lines


def _entry_width(entry: Entry) -> float:
    sign = 0.36 if len(entry[0]) <= 2 else 0.72
    return sign + 0.098 * len(entry[1]) + 0.3


def _draw_legend_line(axes: Axes, line: list[Entry], x: float, y: float) -> None:
    for entry in line:
        kind, text = entry
        if len(kind) <= 2:
            _tag(axes, x + 0.14, y, kind, NEUTRAL)
            shift = 0.36
        else:
            sign = int(kind.partition(":")[2]) if kind.startswith("sign:") else 0
            key: Key = ("", "")
            curve = ((x, y), (x + 0.2, y), (x + 0.35, y), (x + 0.56, y))
            _draw_edge(axes, Edge(key, key, sign, None if kind == "fixed" else "", curve), {}, tagged=False)
            shift = 0.72
        axes.text(x + shift, y - 0.008, text, ha="left", va="center", fontsize=7.5, color="#1A1A1A")
        x += _entry_width(entry)

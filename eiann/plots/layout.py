"""Where the parts of an architecture diagram stand: populations in columns by layer, projections as curves.

Lengths are in units of which a population is about one wide. Excitatory populations stand in a row at height 0, those
that inhibit somata below, those that act on dendrites above, beside the dendrite that rises from their target.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from eiann.config import NetworkConfig, PopulationConfig, ProjectionConfig

Point = tuple[float, float]
Key = tuple[str, str]
"""Layer and population."""

HALF_WIDTH, HALF_HEIGHT = 0.52, 0.30
RADIUS = 0.43
DENDRITE_SHIFT, DENDRITE_TOP = 0.20, 1.28

_COLUMN = 2.55
_CHAIN = 1.65
_ROW = 1.62
_UPPER_SHIFT = -0.92
_FIRST_LANE, _NEXT_LANE = 1.15, 0.3
_CHAINED = ("MaxPool2D", "maxpool2D", "maxpool2d", "Flatten", "flatten", "Conv2D", "conv2D", "conv2d")


@dataclass(frozen=True)
class Node:
    """A population: its place, what is written in it, and whether it excites (1), inhibits (-1) or does both (0)."""

    key: Key
    x: float
    y: float
    size: str
    sign: int
    bias_rule: str | None
    dendrite: bool

    @property
    def round(self) -> bool:
        """Inhibitory populations are round, all others are boxes."""
        return self.sign < 0

    def edge(self, towards: Point) -> Point:
        """The point of the outline in the direction of another point."""
        dx, dy = towards[0] - self.x, towards[1] - self.y
        if self.round:
            scale = RADIUS / (math.hypot(dx, dy) or 1.0)
        else:
            scale = min(HALF_WIDTH / (abs(dx) or 1e-9), HALF_HEIGHT / (abs(dy) or 1e-9))
        return self.x + scale * dx, self.y + scale * dy


@dataclass(frozen=True)
class Edge:
    """A projection (or a pooling or flattening step): a cubic curve and what is known of its weights.

    ``rule`` is None for fixed weights, ``clone`` for weights that are copies of others. ``tag`` is where the letter of
    the rule stands, as a fraction of the curve.
    """

    pre: Key
    post: Key
    sign: int
    rule: str | None
    curve: tuple[Point, Point, Point, Point]
    tag: float = 0.5

    def at(self, t: float) -> Point:
        """Point of the curve, from 0 (its start) to 1 (its end)."""
        weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
        return (
            sum(weight * point[0] for weight, point in zip(weights, self.curve, strict=True)),
            sum(weight * point[1] for weight, point in zip(weights, self.curve, strict=True)),
        )


@dataclass(frozen=True)
class Band:
    """The background of a layer."""

    layer: str
    left: float
    right: float


@dataclass(frozen=True)
class Layout:
    """All parts of a diagram, and its lowest and highest point."""

    nodes: dict[Key, Node]
    edges: list[Edge]
    bands: list[Band]
    bottom: float
    top: float


CLONE = "clone"
"""Stands for the learning rule of weights that are copies of others."""


def lay_out(config: NetworkConfig) -> Layout:
    """Place the populations and projections of a network."""
    projections = _projections(config)
    signs = _signs(config, projections)
    dendritic = {pre for pre, _, projection in projections if projection.compartment == "dend"}
    with_dendrite = {post for _, post, projection in projections if projection.compartment == "dend"}
    nodes: dict[Key, Node] = {}
    bands: list[Band] = []
    left = 0.0
    for layer, populations in config.layer_config.items():
        main, upper, lower = _rows(layer, populations, signs, dendritic)
        width = max(_COLUMN, _CHAIN * len(main) + 0.6, 1.25 * len(lower) + 0.5)
        middle = left + width / 2
        start = middle - _CHAIN * (len(main) - 1) / 2
        # The band leaves room on the left for the populations beside the dendrites.
        places = {name: (start + _CHAIN * index + (0.28 if upper else 0.0), 0.0) for index, name in enumerate(main)}
        anchor = places[main[0]][0]
        for index, name in enumerate(upper):
            places[name] = (anchor + _UPPER_SHIFT, _ROW + 1.1 * index)
        for index, name in enumerate(lower):
            places[name] = (anchor + 1.15 * (index - (len(lower) - 1) / 2), -_ROW)
        for name, population in populations.items():
            key = (layer, name)
            x, y = places[name]
            nodes[key] = Node(key, x, y, _size(population), signs[key], _bias_rule(population), key in with_dendrite)
        bands.append(Band(layer, left, left + width))
        left += width + 0.22
    order = [band.layer for band in bands]
    lanes = {1: max(node.y for node in nodes.values()), -1: min(node.y for node in nodes.values())}
    edges = []
    for pre, post, projection in projections:
        step = order.index(post[0]) - order.index(pre[0])
        edges.append(_edge(nodes[pre], nodes[post], step, projection, lanes))
    edges += _chains(config, nodes)
    room = [(node.y, 0.62) for node in nodes.values()]
    room += [(edge.at(t)[1], 0.3) for edge in edges for t in (0.25, 0.5, 0.75)]
    room += [(DENDRITE_TOP, 0.2)] * bool(with_dendrite)
    return Layout(nodes, edges, bands, min(y - gap for y, gap in room), max(y + gap for y, gap in room))


def _projections(config: NetworkConfig) -> list[tuple[Key, Key, ProjectionConfig]]:
    return [
        ((pre_layer, pre), (post_layer, post), projection)
        for post_layer, posts in config.projection_config.items()
        for post, pre_layers in posts.items()
        for pre_layer, pres in pre_layers.items()
        for pre, projection in pres.items()
    ]


def _sign(projection: ProjectionConfig) -> int:
    low, high = projection.weight_bounds or (None, None)
    if low is not None and low >= 0:
        return 1
    return -1 if high is not None and high <= 0 else 0


def _signs(config: NetworkConfig, projections: list[tuple[Key, Key, ProjectionConfig]]) -> dict[Key, int]:
    """Sign of each population, from the bounds of what it sends; one that sends nothing is like its namesakes."""
    sent: dict[Key, set[int]] = {}
    named: dict[str, set[int]] = {}
    for pre, _, projection in projections:
        sent.setdefault(pre, set()).add(_sign(projection))
        named.setdefault(pre[1], set()).add(_sign(projection))
    keys = [(layer, name) for layer, populations in config.layer_config.items() for name in populations]
    return {key: _common(sent.get(key) or named.get(key[1], set())) for key in keys}


def population_signs(config: NetworkConfig) -> dict[str, int]:
    """Sign of each population that sends anything, by ``Layer.Population``: 1, -1, or 0 for both."""
    signs = _signs(config, _projections(config))
    return {f"{layer}.{population}": sign for (layer, population), sign in signs.items()}


def _common(signs: set[int]) -> int:
    return next(iter(signs)) if len(signs) == 1 else 0


def _rows(
    layer: str, populations: dict[str, PopulationConfig], signs: dict[Key, int], dendritic: set[Key]
) -> tuple[list[str], list[str], list[str]]:
    """Names in the row of excitatory populations, above it (dendritic inhibition) and below it (all others)."""
    first = next(iter(populations))
    main = [name for name, population in populations.items() if name == first or population.population_type in _CHAINED]
    rest = [name for name in populations if name not in main]
    upper = [name for name in rest if (layer, name) in dendritic and signs[layer, name] < 0]
    return main, upper, [name for name in rest if name not in upper]


def _size(population: PopulationConfig) -> str:
    count = population.channels or population.size
    if count is None:
        return ""
    image = population.image_dim
    return f"{count} × {image} × {image}" if image and population.channels else str(count)


def _bias_rule(population: PopulationConfig) -> str | None:
    return population.bias_learning_rule


def _rule(projection: ProjectionConfig) -> str | None:
    if projection.weight_constraint == "clone_weight" or projection.weight_init in ("clone", "clone_weight"):
        return projection.learning_rule or CLONE
    return projection.learning_rule


def _edge(source: Node, target: Node, step: int, projection: ProjectionConfig, lanes: dict[int, float]) -> Edge:
    """The curve of a projection that goes ``step`` layers up.

    ``lanes`` holds the heights above and below everything that the last far-reaching curve took; it is moved on.
    """
    tag = 0.5
    if source.key == target.key:
        curve = _loop(source)
    elif projection.compartment == "dend":
        curve, tag = _to_dendrite(source, target, step), 0.42
    elif step == 0:
        curve, tag = _beside(source, target), 0.42
    elif step == -1 and source.y == target.y:
        curve = _arch(source, target, 1.3)
    elif abs(step) == 1:
        curve = _line(*_straight(source, target))
    else:
        side = 1 if step < 0 else -1
        lanes[side] += side * (_FIRST_LANE if abs(lanes[side]) in (0.0, _ROW) else _NEXT_LANE)
        curve = _arch(source, target, lanes[side] / 0.75, wide=0.95)
    return Edge(source.key, target.key, _sign(projection), _rule(projection), curve, tag)


def _loop(node: Node) -> tuple[Point, Point, Point, Point]:
    """A curve from a population to itself: at the outer side of a round one, at the corner of a box."""
    if node.round:
        up = 1.0 if node.y > 0 else -1.0
        spread, reach = math.radians(32), 2.35 * RADIUS
        x, y = RADIUS * math.sin(spread), up * RADIUS * math.cos(spread)
        return (
            (node.x - x, node.y + y),
            (node.x - 1.5 * x - 0.1, node.y + up * reach),
            (node.x + 1.5 * x + 0.1, node.y + up * reach),
            (node.x + x, node.y + y),
        )
    right, top = node.x + HALF_WIDTH, node.y + HALF_HEIGHT
    return (right - 0.16, top), (right - 0.1, top + 0.62), (right + 0.52, top + 0.16), (right, top - 0.14)


def _to_dendrite(source: Node, target: Node, step: int) -> tuple[Point, Point, Point, Point]:
    x = target.x + DENDRITE_SHIFT
    if step == 0 and source.y > 0:
        end = (x - 0.05, DENDRITE_TOP - 0.12)
        return _line(source.edge(end), end)
    if step < 0:
        # Feedback leaves at the upper left corner and reaches the dendrite from the right.
        end = (x + 0.05, DENDRITE_TOP - 0.5)
        start = (source.x - HALF_WIDTH, source.y + 0.16)
        return start, (start[0] - 0.45, start[1] + 0.3), (end[0] + 0.55, end[1] + 0.05), end
    end = (x - 0.05, DENDRITE_TOP - 0.62)
    start = source.edge(end)
    return start, (start[0] + 0.3, start[1] + 0.3), (end[0] - 0.4, end[1]), end


def _beside(source: Node, target: Node) -> tuple[Point, Point, Point, Point]:
    """Between populations of one layer: two straight lines side by side for the two directions."""
    dx, dy = target.x - source.x, target.y - source.y
    length = math.hypot(dx, dy)
    side = (0.17 * dy / length, -0.17 * dx / length)
    blocked = source.y * target.y < 0  # another population stands between them
    start = _shifted(source, (target.x, target.y), side)
    end = _shifted(target, (source.x, source.y), side)
    if blocked:
        bulge = min(source.x, target.x) - 1.05
        return start, (bulge, start[1]), (bulge, end[1]), end
    return _line(start, end)


def _shifted(node: Node, towards: Point, side: Point) -> Point:
    """Where a line towards a point, moved sideways, leaves the outline."""
    if node.round:
        dx, dy = towards[0] - node.x, towards[1] - node.y
        length = math.hypot(dx, dy)
        along = math.sqrt(RADIUS**2 - side[0] ** 2 - side[1] ** 2)
        return node.x + side[0] + along * dx / length, node.y + side[1] + along * dy / length
    x, y = node.edge(towards)
    return x + side[0], y + (side[1] if abs(x - node.x) > HALF_WIDTH - 1e-6 else 0.0)


def _straight(source: Node, target: Node) -> tuple[Point, Point]:
    right = 1.0 if target.x > source.x else -1.0
    if source.y == target.y:
        return source.edge((target.x, target.y)), target.edge((source.x, source.y))
    corner = (source.x + right * HALF_WIDTH * 0.9, source.y + math.copysign(HALF_HEIGHT, target.y - source.y))
    start = source.edge((target.x, target.y)) if source.round else corner
    return start, target.edge(start)


def _arch(source: Node, target: Node, height: float, wide: float = 0.3) -> tuple[Point, Point, Point, Point]:
    """From corner to corner over or under what lies between; it comes to three quarters of ``height``."""
    up = math.copysign(1.0, height)
    right = math.copysign(1.0, target.x - source.x)

    def corner(node: Node, side: float) -> Point:
        if node.round:
            return node.edge((node.x + side, node.y + up))
        return node.x + side * 0.46, node.y + up * HALF_HEIGHT

    start, end = corner(source, right), corner(target, -right)
    return start, (start[0] + right * wide, height), (end[0] - right * wide, height), end


def _line(start: Point, end: Point) -> tuple[Point, Point, Point, Point]:
    dx, dy = (end[0] - start[0]) / 3, (end[1] - start[1]) / 3
    return start, (start[0] + dx, start[1] + dy), (end[0] - dx, end[1] - dy), end


def _chains(config: NetworkConfig, nodes: dict[Key, Node]) -> list[Edge]:
    """Steps without weights: pooling and flattening."""
    found = []
    for layer, populations in config.layer_config.items():
        for name, population in populations.items():
            if population.source:
                source_layer, _, source_name = population.source.partition(".")
                source, target = nodes.get((source_layer, source_name)), nodes[layer, name]
                if source is not None:
                    found.append(Edge(source.key, target.key, 0, None, _line(*_straight(source, target))))
    return found

"""The diagram shows every population and projection with sign and rule, and everything in it can be read."""

import math

import pytest
from matplotlib.colors import to_rgba
from matplotlib.patches import Circle, FancyBboxPatch, PathPatch

from eiann.config import NetworkConfig
from eiann.errors import UserError
from eiann.plots import architecture
from eiann.plots.layout import CLONE, HALF_HEIGHT, HALF_WIDTH, RADIUS, Layout, lay_out
from eiann.plots.style import EXCITATORY, INHIBITORY, NEUTRAL
from tests.eiann.plots.texts import cut_off, drawn_texts, overlaps

EXC, INH = {"weight_bounds": [0, None]}, {"weight_bounds": [None, 0], "direction": "R"}
FIXED = {"learning_rule": None}
DEND = {"compartment": "dend", "update_phase": "B"}


def dendritic(hidden: int = 2) -> NetworkConfig:
    """Target propagation through dendrites, with somatic and dendritic inhibition in each hidden layer."""
    names = ["Input", *(f"H{index}" for index in range(1, hidden + 1)), "Output"]
    layers: dict = {"Input": {"E": {"size": 784}}}
    projections: dict = {}
    for index, name in enumerate(names[1:], 1):
        below, last = names[index - 1], name == "Output"
        layers[name] = {"E": {"size": 500, "bias_learning_rule": "DendriticLossBias"}, "SomaI": {"size": 50}}
        own = {"SomaI": INH | FIXED}
        excitatory: dict = {below: {"E": EXC | {"learning_rule": "BP_like_2E"}}, name: own}
        projections[name] = {
            "E": excitatory,
            "SomaI": {below: {"E": EXC | FIXED}, name: {"E": EXC | FIXED, "SomaI": INH | FIXED}},
        }
        if not last:
            layers[name]["DendI"] = {"size": 50}
            own["DendI"] = INH | DEND | {"learning_rule": "DendriticLoss_6"}
            clone = {"weight_constraint": "clone_weight", "weight_constraint_kwargs": {"source": "x"}}
            excitatory[names[index + 1]] = {"E": EXC | DEND | FIXED | clone}
            learned = {"learning_rule": "Hebb_WeightNorm"}
            projections[name]["DendI"] = {name: {"E": EXC | learned, "DendI": INH | learned}}
    return NetworkConfig.model_validate({"layer_config": layers, "projection_config": projections})


def recurrent() -> NetworkConfig:
    rule = {"learning_rule": "Hebb_WeightNorm_4"}
    layers = {
        "Input": {"E": {"size": 784}},
        "H1": {"E": {"size": 500}, "SomaI": {"size": 100}},
        "Output": {"E": {"size": 10}},
    }
    projections = {
        "H1": {
            "E": {"Input": {"E": EXC | rule}, "H1": {"E": EXC | rule, "SomaI": INH | rule}},
            "SomaI": {"Input": {"E": EXC | rule}, "H1": {"E": EXC | rule, "SomaI": INH | rule}},
        },
        "Output": {"E": {"H1": {"E": {"learning_rule": "Backprop"}}, "Input": {"E": FIXED}}},
    }
    return NetworkConfig.model_validate({"layer_config": layers, "projection_config": projections})


def convolutional() -> NetworkConfig:
    layers = {
        "Input": {"E": {"channels": 3, "image_dim": 32}},
        "Conv1": {
            "E": {"population_type": "Conv2D", "channels": 30, "image_source": "Input.E"},
            "MaxPoolE": {"population_type": "MaxPool2D", "source": "Conv1.E"},
            "FlatE": {"population_type": "Flatten", "source": "Conv1.MaxPoolE"},
        },
        "Output": {"E": {"size": 10}},
    }
    projections = {"Conv1": {"E": {"Input": {"E": {}}}}, "Output": {"E": {"Conv1": {"FlatE": {}}}}}
    return NetworkConfig.model_validate({"layer_config": layers, "projection_config": projections})


NETWORKS = {"dendritic": dendritic(), "deep": dendritic(4), "recurrent": recurrent(), "convolutional": convolutional()}


def count_projections(config: NetworkConfig) -> int:
    return sum(
        len(pres)
        for posts in config.projection_config.values()
        for layers in posts.values()
        for pres in layers.values()
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_every_population_is_there_once_with_name_and_size(name: str) -> None:
    config = NETWORKS[name]
    words = [word for word, _ in drawn_texts(architecture(config))]
    populations = [(layer, key) for layer, members in config.layer_config.items() for key in members]
    for key in {key for _, key in populations}:
        assert words.count(key) == sum(population == key for _, population in populations)
    for layer in config.layer_config:
        assert words.count(layer) == 1
    if name == "convolutional":
        assert "3 × 32 × 32" in words
    else:
        assert words.count("784") == 1


@pytest.mark.parametrize("name", NETWORKS)
def test_every_projection_is_a_curve_from_source_to_target(name: str) -> None:
    config = NETWORKS[name]
    layout = lay_out(config)
    weights = [edge for edge in layout.edges if not _is_step(config, edge.post)]
    assert len(weights) == count_projections(config)
    for edge in layout.edges:
        pre, post = layout.nodes[edge.pre], layout.nodes[edge.post]
        assert _distance_to_outline(pre, edge.curve[0]) < 0.05
        if post.dendrite and edge.curve[3][1] > HALF_HEIGHT + 0.1:
            assert abs(edge.curve[3][0] - post.x) < 0.3
        else:
            assert _distance_to_outline(post, edge.curve[3]) < 0.05


def _is_step(config: NetworkConfig, key: tuple[str, str]) -> bool:
    return config.layer_config[key[0]][key[1]].source is not None


def _distance_to_outline(node, point: tuple[float, float]) -> float:
    dx, dy = abs(point[0] - node.x), abs(point[1] - node.y)
    if node.round:
        return abs(math.hypot(dx, dy) - RADIUS)
    inside = max(dx - HALF_WIDTH, dy - HALF_HEIGHT)
    return abs(inside) if inside <= 0 else math.hypot(max(dx - HALF_WIDTH, 0), max(dy - HALF_HEIGHT, 0))


def test_layers_go_from_left_to_right() -> None:
    layout = lay_out(dendritic())
    columns = [layout.nodes[layer, "E"].x for layer in ("Input", "H1", "H2", "Output")]
    assert columns == sorted(columns)
    for band in layout.bands:
        for node in layout.nodes.values():
            if node.key[0] == band.layer:
                assert band.left < node.x - RADIUS
                assert node.x + RADIUS < band.right


def test_signs_come_from_the_bounds_of_what_a_population_sends() -> None:
    nodes = lay_out(dendritic()).nodes
    assert {key: node.sign for key, node in nodes.items() if key[0] == "H1"} == {
        ("H1", "E"): 1, ("H1", "SomaI"): -1, ("H1", "DendI"): -1,
    }  # fmt: skip
    assert nodes["Output", "E"].sign == 1
    assert lay_out(recurrent()).nodes["H1", "E"].sign == 0  # it sends weights of any sign to the output
    assert {node.sign for node in lay_out(convolutional()).nodes.values()} == {0}


def test_excitatory_boxes_and_inhibitory_circles_have_their_colours() -> None:
    axes = architecture(dendritic()).axes[0]
    boxes = [
        patch
        for patch in axes.patches
        if isinstance(patch, FancyBboxPatch) and patch.get_edgecolor() == to_rgba(EXCITATORY)
    ]
    circles = [
        patch for patch in axes.patches
        if isinstance(patch, Circle) and patch.radius == RADIUS and patch.get_edgecolor() == to_rgba(INHIBITORY)
    ]  # fmt: skip
    assert (len(boxes), len(circles)) == (4, 5)


def test_learned_weights_are_thick_and_fixed_ones_thin() -> None:
    axes = architecture(dendritic()).axes[0]
    widths = [patch.get_linewidth() for patch in axes.patches if isinstance(patch, PathPatch)]
    layout = lay_out(dendritic())
    learned = sum(edge.rule not in (None, CLONE) for edge in layout.edges)
    legend = 3  # excitatory, inhibitory, not learned
    assert len(widths) == len(layout.edges) + legend
    assert sum(width > 1 for width in widths) == learned + legend - 1


def test_each_rule_has_a_letter_that_the_legend_explains() -> None:
    words = [word for word, _ in drawn_texts(architecture(dendritic()))]
    rules = ["BP_like_2E", "DendriticLoss_6", "Hebb_WeightNorm", "DendriticLossBias (bias)", "copy of another weight"]
    for rule in rules:
        assert words.count(rule) == 1
    # Three forward weights, two of each kind in the hidden layers, three biases; and one more in the legend.
    assert [words.count(letter) for letter in ("A", "B", "C", "D", "=")] == [4, 3, 5, 4, 3]


def test_pooling_and_flattening_are_steps_without_a_rule() -> None:
    steps = [edge for edge in lay_out(convolutional()).edges if edge.rule is None]
    assert [(edge.pre[1], edge.post[1]) for edge in steps] == [("E", "MaxPoolE"), ("MaxPoolE", "FlatE")]


def test_dendritic_projections_end_on_the_dendrite() -> None:
    layout = lay_out(dendritic())
    soma = layout.nodes["H1", "E"]
    assert soma.dendrite
    assert not layout.nodes["Output", "E"].dendrite
    ends = [
        edge.curve[3]
        for edge in layout.edges
        if (edge.post == soma.key and edge.pre[1] == "DendI") or (edge.pre == ("H2", "E") and edge.post == soma.key)
    ]
    assert len(ends) == 2
    assert all(y > HALF_HEIGHT + 0.1 for _, y in ends)


@pytest.mark.parametrize("name", NETWORKS)
def test_nothing_overlaps_and_nothing_is_cut_off(name: str) -> None:
    figure = architecture(NETWORKS[name], title=f"A {name} network")
    assert overlaps(figure) == []
    assert cut_off(figure) == []
    _check_geometry(lay_out(NETWORKS[name]))


def _check_geometry(layout: Layout) -> None:
    letters = [edge.at(edge.tag) for edge in layout.edges if edge.rule is not None]
    for index, one in enumerate(letters):
        assert all(math.dist(one, other) >= 0.25 for other in letters[:index])
    for edge in layout.edges:
        others = [node for node in layout.nodes.values() if node.key not in (edge.pre, edge.post)]
        for point in (edge.at(step / 40) for step in range(41)):
            for node in others:
                assert _outside(node, point), (edge.pre, edge.post, node.key)


def _outside(node, point: tuple[float, float]) -> bool:
    dx, dy = abs(point[0] - node.x), abs(point[1] - node.y)
    return math.hypot(dx, dy) > RADIUS if node.round else dx > HALF_WIDTH or dy > HALF_HEIGHT


def test_connections_that_skip_layers_take_lanes_of_their_own() -> None:
    layers = {name: {"E": {"size": 3}} for name in ("Input", "H1", "H2", "Output")}
    projections = {
        "H2": {"E": {"Input": {"E": {}}, "H1": {"E": {}}}},
        "Output": {"E": {"Input": {"E": {}}, "H1": {"E": {}}, "H2": {"E": {}}}},
        "H1": {"E": {"Input": {"E": {}}, "Output": {"E": {}}}},
    }
    layout = lay_out(NetworkConfig.model_validate({"layer_config": layers, "projection_config": projections}))
    _check_geometry(layout)
    far = {edge.pre[0] + edge.post[0]: edge.at(0.5)[1] for edge in layout.edges}
    assert far["OutputH1"] > HALF_HEIGHT
    assert len({far["InputH2"], far["InputOutput"], far["H1Output"]}) == 3
    assert max(far["InputH2"], far["InputOutput"], far["H1Output"]) < -HALF_HEIGHT


def test_long_names_shrink_into_their_population() -> None:
    config = NetworkConfig.model_validate(
        {"layer_config": {"Input": {"RetinalGanglionCells": {"size": 123456789}}, "Output": {"E": {"size": 2}}},
         "projection_config": {"Output": {"E": {"Input": {"RetinalGanglionCells": {}}}}}}
    )  # fmt: skip
    figure = architecture(config)
    (box,) = [box for word, box in drawn_texts(figure) if word == "RetinalGanglionCells"]
    assert box.width < 2 * HALF_WIDTH * 0.74 * figure.dpi


def test_grey_is_for_weights_of_any_sign() -> None:
    figure = architecture(convolutional())
    colors = {patch.get_edgecolor() for patch in figure.axes[0].patches if isinstance(patch, PathPatch)}
    assert to_rgba(NEUTRAL) in colors
    words = [word for word, _ in drawn_texts(figure)]
    assert "any sign" in words
    assert "excitatory" not in words


def test_a_network_without_layers_is_refused() -> None:
    with pytest.raises(UserError, match="no layer"):
        architecture(NetworkConfig.model_construct(layer_config={}, projection_config={}))

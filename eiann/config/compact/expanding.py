"""From a compact document to the nested form: patterns become projections, defaults are filled in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from eiann.config.clauses import Clause
from eiann.config.compact.document import Document, Line, read_document
from eiann.config.compact.words import (
    CELL,
    CELL_WORDS,
    POPULATION,
    PROJECTION,
    SCALE,
    TRAINING,
    Draft,
    apply_clauses,
)
from eiann.config.patterns import Arrow, Population, Projection, Side, Topology
from eiann.config.places import Place
from eiann.config.yaml_source import Plain
from eiann.errors import ConfigError, KeyPath

POOLING = ("maxpool2d", "flatten")
EXCITATORY: list[Plain] = [0, None]
INHIBITORY: list[Plain] = [None, 0]


Nested = tuple[dict[str, Plain], dict[KeyPath, Place]]
"""Data of the nested form, and where each of its keys was written."""


def nested_from_compact(data: Mapping[str, Plain], root: Place, folder: Path | None) -> Nested:
    """The nested form of compact data, and where each of its keys was written.

    Raises:
        ConfigError: something is not what it should be; with its place.
    """
    return nested_from_document(read_document(data, root, folder), root)


def nested_from_document(document: Document, root: Place) -> Nested:
    """As ``nested_from_compact``, from lines that are read already."""
    return _Expansion(document, root).nested()


def default_bounds(cell: Plain) -> list[Plain] | None:
    """Bounds of the outgoing weights of a cell type."""
    return {"E": EXCITATORY, "I": INHIBITORY}.get(cell) if isinstance(cell, str) else None


def default_direction(post: Population, pre: Population) -> str:
    """Within a layer activity takes a step of time, between layers it does not."""
    return "recurrent" if post[0] == pre[0] else "forward"


def is_signed(bounds: Plain) -> bool:
    """Whether bounds keep weights on one side of zero."""
    if not isinstance(bounds, list) or len(bounds) != 2:
        return False
    low, high = bounds
    return (isinstance(low, int | float) and low >= 0) or (isinstance(high, int | float) and high <= 0)


class _Expansion:
    def __init__(self, document: Document, root: Place) -> None:
        self.document = document
        self.root = root
        self.places: dict[KeyPath, Place] = {}
        self.populations: dict[Population, Draft] = {}
        self.projections: dict[Projection, Draft] = {}

    def nested(self) -> tuple[dict[str, Plain], dict[KeyPath, Place]]:
        names = {layer: list(populations) for layer, populations in self.document.layers.items()}
        self.check_layers()
        self.make_populations(Topology(names))
        pooling = [item for item, draft in self.populations.items() if _is_pooling(draft)]
        topology = Topology(names, frozenset(pooling))
        for line in self.document.projections:
            self.connect(line, topology)
        training = self.training()
        layers: dict[str, Plain] = {}
        for key, word in (("layer_config", "layers"), ("projection_config", "projections")):
            self.places[key,] = self.root.child(word)
        for layer, members in names.items():
            self.places["layer_config", layer] = self.document.places[layer]
            layers[layer] = {name: self.finished(self.populations[layer, name]) for name in members}
        nested: dict[str, Plain] = {"layer_config": layers, "projection_config": self.ordered_projections(topology)}
        if training:
            nested["training_kwargs"] = training
        return nested, self.places

    def check_layers(self) -> None:
        if not self.document.layers:
            raise self.root.error("there are no layers; name them: 'layers: {Input: {E: 2}, Output: {E: 4}}'")
        for layer, populations in self.document.layers.items():
            if not populations:
                raise self.document.places[layer].error("the layer has no population; give it one, such as 'E: 128'")

    def make_populations(self, topology: Topology) -> None:
        first = next(iter(topology.layers))
        selectors = [(line, self.cell_selector(line, topology)) for line in self.document.cells]
        for layer, name in topology.populations:
            lines = self.document.layers[layer][name]
            draft = Draft()
            bare = layer == first or any(_pools(clause) for line in lines for clause in line.clauses)
            for line, side in selectors:
                if (layer, name) in side.populations(topology):
                    clauses = [clause for clause in line.clauses if not bare or clause.word in CELL_WORDS]
                    apply_clauses(draft, clauses, POPULATION)
            for line in lines:
                apply_clauses(draft, line.clauses, POPULATION)
            self.populations[layer, name] = draft
            path = ("layer_config", layer, name)
            self.places[path] = lines[0].place
            self.keep_places(path, draft)

    def cell_selector(self, line: Line, topology: Topology) -> Side:
        side = Side.parse(line.key, line.place, relative=False)
        if line.own:
            side.check_name(topology, line.place)
            if not side.populations(topology):
                raise line.place.error("no population matches")
        # Checked here too, as there may be no population yet to apply them to.
        apply_clauses(Draft(), [clause for clause in line.clauses if "." not in clause.word], POPULATION)
        return side

    def connect(self, line: Line, topology: Topology) -> None:
        """Apply one line to the projections that it means."""
        arrow = Arrow.parse(line.key, line.place)
        if line.own:
            arrow.check_names(topology, line.place)
        pairs = arrow.pairs(topology)
        if not arrow.connects or line.removes:
            pairs = [pair for pair in pairs if pair in self.projections]
        if not pairs and line.own:
            what = "projection made so far" if not arrow.connects or line.removes else "pair of populations"
            raise line.place.error(f"no {what} matches")
        for pair in pairs:
            if line.removes:
                del self.projections[pair]
                continue
            path = ("projection_config", *pair[0], *pair[1])
            if pair not in self.projections:
                self.projections[pair] = Draft()
                self.places[path] = line.place
            try:
                apply_clauses(self.projections[pair], line.clauses, PROJECTION)
            except ConfigError as error:
                raise self.named(error, line, pair) from None

    def named(self, error: ConfigError, line: Line, pair: Projection) -> ConfigError:
        """An error says which projection it is about, where the line does not."""
        (post_layer, post), (pre_layer, pre) = pair
        name = f"{post_layer}.{post} <- {pre_layer}.{pre}"
        about = "" if name == line.key or "to change" not in error.message else f" (of {name})"
        return ConfigError(error.message + about, error.path, error.location)

    def training(self) -> dict[str, Plain]:
        draft = Draft()
        for line in self.document.training:
            apply_clauses(draft, line.clauses, TRAINING)
        self.keep_places(("training_kwargs",), draft)
        self.places["training_kwargs",] = self.document.training[-1].place
        return self.finished(draft)

    def ordered_projections(self, topology: Topology) -> dict[str, Plain]:
        rank = {population: index for index, population in enumerate(topology.populations)}
        pairs = list(self.projections)
        if self.document.order == "by_layer":
            pairs.sort(key=lambda pair: (rank[pair[0]], rank[pair[1]]))
        found: dict[str, dict[str, dict[str, dict[str, Plain]]]] = {}
        for pair in pairs:
            (post_layer, post), (pre_layer, pre) = pair
            self.fill_in(pair)
            self.keep_places(("projection_config", post_layer, post, pre_layer, pre), self.projections[pair])
            pres = found.setdefault(post_layer, {}).setdefault(post, {}).setdefault(pre_layer, {})
            pres[pre] = self.finished(self.projections[pair])
        return {layer: {name: dict(pres) for name, pres in posts.items()} for layer, posts in found.items()}

    def fill_in(self, pair: Projection) -> None:
        """Defaults by cell type and by kind of projection."""
        post, pre = pair
        values = self.projections[pair].values
        bounds = default_bounds(self.populations[pre].values.get(CELL))
        if "weight_bounds" not in values and bounds is not None:
            values["weight_bounds"] = list(bounds)
        values.setdefault("direction", default_direction(post, pre))
        values.setdefault("learning_rule", None)
        signed = is_signed(values.get("weight_bounds"))
        if "weight_init" not in values and SCALE not in values:
            self.inherit_scale(pair)
        if SCALE in values:
            values["weight_init"] = "half_kaiming" if signed else "scaled_kaiming"
            values["weight_init_args"] = [values[SCALE]]
        elif signed:
            values.setdefault("weight_init", "half_kaiming")
        for key in ("weight_constraint_kwargs", "weight_init_args"):
            arguments = values.get(key)
            if isinstance(arguments, dict) and arguments.get("source") == "reverse":
                values[key] = {**arguments, "source": ".".join((*pre, *post))}

    def inherit_scale(self, pair: Projection) -> None:
        """The scale of outgoing weights that the presynaptic population declares."""
        pre = self.populations[pair[1]]
        scale = pre.values.get(SCALE)
        if scale is not None:
            self.projections[pair].put(SCALE, scale, pre.places[SCALE,])

    def keep_places(self, path: KeyPath, draft: Draft) -> None:
        for key, place in draft.places.items():
            self.places[*path, *key] = place
            if key == (SCALE,):
                self.places[*path, "weight_init_args"] = place

    @staticmethod
    def finished(draft: Draft) -> dict[str, Plain]:
        return {key: value for key, value in draft.values.items() if key not in {CELL, SCALE}}


def _pools(clause: Clause) -> bool:
    return clause.word == "type" and isinstance(clause.value, str) and clause.value.lower() in POOLING


def _is_pooling(draft: Draft) -> bool:
    kind = draft.values.get("population_type")
    return isinstance(kind, str) and kind.lower() in POOLING

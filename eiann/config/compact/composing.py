"""From a ``NetworkConfig`` to compact data: what a person would have written, as far as one can tell."""

from __future__ import annotations

from collections import Counter
from enum import Enum
from typing import TYPE_CHECKING, Any

from eiann.config.clauses import Call, Value, format_value
from eiann.config.compact.expanding import POOLING, default_bounds, default_direction, is_signed
from eiann.config.patterns import Arrow, Population, Projection
from eiann.config.places import Place
from eiann.config.resolving import DIRECTIONS, PHASES
from eiann.config.select import projections_of, topology_of
from eiann.config.yaml_source import Plain

if TYPE_CHECKING:
    from eiann.config.schema import NetworkConfig, PopulationConfig, ProjectionConfig


class _Alone(Enum):
    """Stands for a word without a value."""

    WORD = 0


ALONE = _Alone.WORD
Words = dict[str, "Plain | Call | _Alone"]
"""Words and values of one line, in the order in which they are written."""

_CELL_WORDS = {"E": "excitatory", "I": "inhibitory"}
_PHASES = {"backward": "B", "all": "A"}


def compose(config: NetworkConfig) -> dict[str, Plain]:
    """Compact data that reads back as an equal network."""
    types = _cell_types(config)
    cells, layers = _populations(config, types)
    data: dict[str, Plain] = {}
    if cells:
        data["cells"] = {name: _line(words) for name, words in cells.items()}
    data["layers"] = layers
    data["projections"] = _projections(config, types)
    pairs, populations = projections_of(config), topology_of(config).populations
    if set(populations).issuperset({side for pair in pairs for side in pair}):
        rank = {population: index for index, population in enumerate(populations)}
        if pairs != sorted(pairs, key=lambda pair: (rank[pair[0]], rank[pair[1]])):
            data = {"order": "as_written", **data}
    if training := _training(config):
        data["training"] = training
    return data


def _line(words: Words) -> Plain:
    """The words as a list of clauses, or as a mapping where the little language cannot say a value."""
    texts = [(word, "" if value is ALONE else format_value(value)) for word, value in words.items()]
    if all(text is not None for _, text in texts):
        line = ", ".join(str(text) if word == "size" else f"{word} {text}".strip() for word, text in texts)
        return int(line) if set(words) == {"size"} else line or None
    return {word: True if value is ALONE else _as_data(value) for word, value in words.items()}


def _as_data(value: Value) -> Plain:
    if isinstance(value, Call):
        return {value.name: dict(value.kwargs) or list(value.args)}
    return format_value(value) if isinstance(value, str) else value


def _number(value: float | None) -> Plain:
    """Whole numbers without a dot, as people write them."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


def _numbers(values: tuple[float | None, ...]) -> list[Plain]:
    return [_number(value) for value in values]


# ---------------------------------------------------------------------------------------------------------- populations


def _cell_types(config: NetworkConfig) -> dict[Population, str | None]:
    """Cell types from the signs of outgoing weights: the most frequent one."""
    votes: dict[Population, Counter[str | None]] = {}
    for (post_layer, post), pre in projections_of(config):
        bounds = config.projection_config[post_layer][post][pre[0]][pre[1]].weight_bounds
        low, high = bounds or (None, None)
        votes.setdefault(pre, Counter())["E" if low == 0 else "I" if high == 0 else None] += 1
    # One cell type for all populations of a name where they agree, those without outgoing weights included.
    by_name: dict[str, set[str | None]] = {}
    types = {population: counter.most_common(1)[0][0] for population, counter in votes.items()}
    for (_, name), kind in types.items():
        by_name.setdefault(name, set()).add(kind)
    for layer, name in topology_of(config).populations:
        kinds = by_name.get(name, set())
        types.setdefault((layer, name), next(iter(kinds)) if len(kinds) == 1 else None)
    return types


def _populations(
    config: NetworkConfig, types: dict[Population, str | None]
) -> tuple[dict[str, Words], dict[str, Plain]]:
    """Words that populations of one name share, and layers with the rest."""
    topology = topology_of(config)
    first = next(iter(topology.layers), None)
    own = {
        (layer, name): _population_words(config.layer_config[layer][name], first=layer == first)
        for layer, name in topology.populations
    }
    cells: dict[str, Words] = {}
    for name in dict.fromkeys(name for _, name in topology.populations):
        same = [item for item in topology.populations if item[1] == name]
        cell: Words = {}
        kinds = {types[item] for item in same}
        if len(kinds) == 1 and (kind := kinds.pop()):
            cell[_CELL_WORDS[kind]] = ALONE
        else:
            for item in same:
                kind = types[item]
                own[item] = {**own[item], **({_CELL_WORDS[kind]: ALONE} if kind else {})}
        sharing = [item for item in same if item[0] != first and item not in topology.closed]
        if sharing:
            for word in ("activation", "tau", "bias", "bias_init", "bias_bounds"):
                values = [own[item].get(word) for item in sharing]
                if values[0] is not None and all(value == values[0] for value in values):
                    cell[word] = values[0]
                    for item in sharing:
                        del own[item][word]
        if cell:
            cells[name] = cell
    layers: dict[str, Plain] = {
        layer: {name: _line(own[layer, name]) for name in names} for layer, names in topology.layers.items()
    }
    return cells, layers


def _population_words(item: PopulationConfig, *, first: bool) -> Words:
    words: Words = {}
    if item.population_type not in {None, "default"}:
        words["type"] = item.population_type
    plain = ("size", "channels", "kernel_size", "image_dim", "image_source", "source")
    words |= {key: value for key in plain if (value := getattr(item, key)) is not None}
    if item.output_pop is not None:
        words["output_pop"] = item.output_pop
    if item.activation is not None or item.activation_kwargs:
        words["activation"] = Call(item.activation or "linear", (), item.activation_kwargs or {})
    if item.tau is not None:
        words["tau"] = _number(item.tau)
    if item.bias_learning_rule is not None:
        words["bias"] = Call(item.bias_learning_rule, (), item.bias_learning_rule_kwargs or {})
    elif item.include_bias:
        words["bias"] = "constant"
    if item.bias_init is not None:
        words["bias_init"] = Call(item.bias_init, tuple(_numbers(item.bias_init_args or ())))
    if item.bias_bounds is not None:
        words["bias_bounds"] = _numbers(item.bias_bounds)
    kept = ("size", "channels", "image_dim") if first else tuple(words)
    pooling = (item.population_type or "").lower() in POOLING
    kept = ("type", "kernel_size", "source") if pooling and not first else kept
    return {word: value for word, value in words.items() if word in kept}


# ---------------------------------------------------------------------------------------------------------- projections


def _projections(config: NetworkConfig, types: dict[Population, str | None]) -> dict[str, Plain]:
    topology = topology_of(config)
    pairs = projections_of(config)
    lines = {
        (post, pre): _line(
            _projection_words(config.projection_config[post[0]][post[1]][pre[0]][pre[1]], (post, pre), types)
        )
        for post, pre in pairs
    }
    rank = {population: index for index, population in enumerate(topology.populations)}
    in_order = all(post in rank and pre in rank for post, pre in pairs)
    in_order = in_order and pairs == sorted(pairs, key=lambda pair: (rank[pair[0]], rank[pair[1]]))
    found: dict[str, Plain] = {}
    for pair, line in lines.items():
        kind = _kind(pair, list(topology.layers)) if in_order else None
        if kind is None:
            found[_name(pair)] = line
            continue
        meant = Arrow.parse(kind, Place()).pairs(topology)
        alike = len(meant) > 1 and all(item in lines and lines[item] == line for item in meant)
        found[kind if alike and pair in meant else _name(pair)] = line
    return found


def _name(pair: Projection) -> str:
    return f"{'.'.join(pair[0])} <- {'.'.join(pair[1])}"


def _kind(pair: Projection, layers: list[str]) -> str | None:
    """The pattern of all projections of this kind: ``E <- below.E``; None if the layers are not neighbours."""
    (post_layer, post), (pre_layer, pre) = pair
    distance = layers.index(pre_layer) - layers.index(post_layer)
    word = {-1: "below.", 0: "", 1: "above."}.get(distance)
    return None if word is None else f"{post} <- {word}{pre}"


def _projection_words(item: ProjectionConfig, pair: Projection, types: dict[Population, str | None]) -> Words:
    post, pre = pair
    words: Words = {}
    if item.learning_rule is not None:
        words["rule"] = Call(item.learning_rule, (), item.learning_rule_kwargs or {})
    bounds = None if item.weight_bounds is None else _numbers(item.weight_bounds)
    if (initializer := _initializer(item, pair, signed=is_signed(bounds))) is not ALONE:
        words["init"] = initializer
    if item.weight_constraint is not None:
        words["constraint"] = Call(item.weight_constraint, (), _reversed(item.weight_constraint_kwargs or {}, pair))
    if bounds != default_bounds(types.get(pre)):
        words["bounds"] = bounds
    direction = DIRECTIONS.get(item.direction, item.direction)
    if direction != default_direction(post, pre):
        words[direction] = ALONE
    phase = PHASES.get(item.update_phase, item.update_phase)
    if phase in _PHASES:
        words["phase"] = _PHASES[phase]
    if item.compartment is not None:
        words[item.compartment] = ALONE
    numbers = ("kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")
    return {**words, **{key: value for key in numbers if (value := getattr(item, key)) is not None}}


def _initializer(item: ProjectionConfig, pair: Projection, *, signed: bool) -> Plain | Call | _Alone:
    """The value of ``init``; ALONE where the default is meant."""
    name, arguments = item.weight_init, item.weight_init_args
    if isinstance(arguments, dict):
        return Call(name or "clone", (), _reversed(arguments, pair))
    numbers = _numbers(arguments or ())
    if name is None:
        return None if signed else ALONE
    if name == ("half_kaiming" if signed else "scaled_kaiming"):
        if len(numbers) == 1:
            return numbers[0]
        if not numbers and signed:
            return ALONE
    return Call(name, tuple(numbers))


def _reversed(kwargs: dict[str, Any], pair: Projection) -> dict[str, Any]:
    post, pre = pair
    is_reverse = kwargs.get("source") == ".".join((*pre, *post))
    return {**kwargs, "source": "reverse"} if is_reverse else dict(kwargs)


def _training(config: NetworkConfig) -> dict[str, Plain]:
    given: dict[str, Plain] = config.training_kwargs.model_dump(mode="json", exclude_unset=True)
    if "training_kwargs" not in config.model_fields_set:
        return {}
    found: dict[str, Plain] = {}
    for key, value in given.items():
        if key in {"optimizer", "criterion", "optimizer_kwargs", "criterion_kwargs"}:
            continue
        found[key] = _number(value) if isinstance(value, float) else value
    for word in ("optimizer", "criterion"):
        if word in given or given.get(f"{word}_kwargs"):
            name = getattr(config.training_kwargs, word)
            kwargs = getattr(config.training_kwargs, f"{word}_kwargs") or {}
            call = Call(name, (), kwargs) if name is not None else None
            text = format_value(call)
            found[word] = text if text is not None else _as_data(call)
    return found

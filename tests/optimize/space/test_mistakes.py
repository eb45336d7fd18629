"""Every mistake in a space file is one line: file, line, key path, what was found and what would be right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from eiann.errors import ConfigError, UserError
from optimize.space import SearchSpace
from tests.optimize.space.small import SPACE, MakeSpace

A_RANGE = "a range is [low, high] of finite numbers, with log or int behind them"

# What is put into the small space -> line, key path and words of the error.
MISTAKES = {
    "unknown key": (SPACE + "sampelr: tpe\n", 13, "unknown key 'sampelr'; did you mean 'sampler'?"),
    "unknown key of a parameter": (
        SPACE + "  more: {rnge: [0, 1], sets: {H1.E: tau}}\n",
        13,
        "parameters.more: unknown key 'rnge'; did you mean 'range'?",
    ),
    "unknown run setting": (SPACE + "run: {stps: 3}\n", 13, "run: unknown key 'stps'; did you mean 'steps'?"),
    "missing network": (SPACE.replace("network: net\n", ""), 1, "the key 'network' is missing"),
    "low above high": (
        SPACE.replace("[0.01, 10.0, log]", "[10.0, 0.01, log]"),
        10,
        "parameters.scale.range: found low 10 above high 0.01; a range is [low, high]",
    ),
    "log from zero": (
        SPACE.replace("[0.01, 10.0, log]", "[0.0, 10.0, log]"),
        10,
        "parameters.scale.range: found low 0 on a log scale; it must be above 0",
    ),
    "word of a range": (
        SPACE.replace("[0.01, 10.0, log]", "[0.01, 10.0, lgo]"),
        10,
        "parameters.scale.range: found 'lgo' in a range; did you mean 'log'?",
    ),
    "range of one number": (
        SPACE.replace("[0.01, 10.0, log]", "[0.01]"),
        10,
        "parameters.scale.range: found [0.01]; a range is [low, high]",
    ),
    "no number as a bound": (
        SPACE.replace("[0.01, 10.0, log]", "[.nan, 1.0]"),
        10,
        f"parameters.scale.range: found [nan, 1.0]; {A_RANGE}",
    ),
    "an infinite bound": (
        SPACE.replace("[0.01, 10.0, log]", "[0.1, .inf]"),
        10,
        f"parameters.scale.range: found [0.1, inf]; {A_RANGE}",
    ),
    "text as a bound": (
        SPACE.replace("[0.01, 10.0, log]", "[a, 1.0, log]"),
        10,
        f"parameters.scale.range: found ['a', 1.0, 'log']; {A_RANGE}",
    ),
    "a number as a range": (
        SPACE.replace("[0.01, 10.0, log]", "0.1"),
        10,
        f"parameters.scale.range: found 0.1; {A_RANGE}",
    ),
    "a number under ranges": (
        SPACE.replace("[1.0e-4, 1.0, log]", "0.1"),
        4,
        f"ranges.rule.learning_rate: found 0.1; {A_RANGE}",
    ),
    "fraction in an int range": (
        SPACE.replace("[0.01, 10.0, log]", "[0.5, 10, int]"),
        10,
        "parameters.scale.range: found [0.5, 10]; the bounds of an int range are whole numbers",
    ),
    "no range": (
        SPACE + "  more:\n    sets: {H1.E: tau}\n",
        13,
        "parameters.more: 'range' is missing and there is none for what sets 'tau' under 'ranges'",
    ),
    "unknown range": (
        SPACE + "  more:\n    range: fats\n    sets: {H1.E: tau}\n",
        14,
        "parameters.more.range: found 'fats'; known are: rule.learning_rate",
    ),
    "unknown parameter in a formula": (
        SPACE + "  more:\n    range: [0, 1]\n    sets: {H1.E: tau = 1 + rate * scael}\n",
        15,
        "parameters.more.sets: unknown parameter 'scael' in '1 + rate * scael'; did you mean 'scale'?",
    ),
    "broken formula": (
        SPACE + "  more:\n    range: [0, 1]\n    sets: {H1.E: tau = value **}\n",
        15,
        "parameters.more.sets: cannot read 'value **'",
    ),
    "no such population": (
        SPACE + "  more: {range: [1, 2], sets: {H4.E: tau}}\n",
        13,
        "parameters.more.sets: there is no layer 'H4'",
    ),
    "no such projection": (
        SPACE + "  more: {range: [1, 2], sets: {H1.E <- H2.E: rule.k}}\n",
        13,
        "parameters.more.sets: no projection of this network matches 'H1.E <- H2.E'",
    ),
    "no such key": (
        SPACE + "  more: {range: [1, 2], sets: {H1.E: tua}}\n",
        13,
        "parameters.more.sets: found 'tua'; no key has that name; did you mean 'tau'?",
    ),
    "no such element": (
        SPACE + "  more:\n    range: [1, 2]\n    sets:\n      H1.E <- SomaI: init[1]\n",
        15,
        "parameters.more.sets: 'H1.E <- H1.SomaI: weight_init_args[1]' cannot be set",
    ),
    "no initializer": (
        SPACE + "  more:\n    range: [1, 2]\n    sets:\n      SomaI <- SomaI: init[0]\n",
        15,
        "parameters.more.sets: 'H1.SomaI <- H1.SomaI: weight_init_args[0]' cannot be set",
    ),
    "not a target": (
        SPACE + "  more: {range: [1, 2], sets: H1.E}\n",
        13,
        "parameters.more.sets: found 'H1.E'; write 'H1.E: size'",
    ),
    "set twice": (
        SPACE + "  more: {range: [0, 1], sets: {H2.E <- H1.E: rule.learning_rate}}\n",
        13,
        "'H2.E <- H1.E: learning_rule_kwargs.learning_rate' is set by 'rate' too",
    ),
    "sets nothing": (SPACE + "  more: {range: [0, 1]}\n", 13, "parameters.more: 'more' sets nothing; add 'sets'"),
    "pattern without targets": (
        SPACE + "  <layer>_x: {range: [0, 1]}\n",
        13,
        "a name pattern gets its names from what it sets; 'sets' is missing",
    ),
    "pattern without that side": (
        SPACE + "  <pre>_x: {range: [0, 1], sets: {H1.E: tau}}\n",
        13,
        "parameters.<pre>_x.sets: found <pre> in '<pre>_x', but 'H1.E: tau' has none",
    ),
    "no name for a parameter": (
        SPACE + "  my-rate: {range: [0, 1], sets: {H1.E: tau}}\n",
        13,
        "found the name 'my-rate'; a parameter's name is letters, digits and _",
    ),
    "word of formulas as a name": (SPACE + "  sqrt: {range: [0, 1], sets: {H1.E: tau}}\n", 13, "found the name 'sqrt'"),
    "size of nothing": (
        SPACE + "  more: {range: [0, 1], sets: {H1.E: tau = size(H9.E)}}\n",
        13,
        "found size(H9.E); the network has no population of that name",
    ),
    "size from a size that is set": (
        SPACE + "  a: {range: [1, 9], sets: {H1.E: size}}\n  b: {range: [1, 9], sets: {H2.E: size = size(H1.E)}}\n",
        14,
        "found size(H1.E) in a size, and that one is set too",
    ),
    "a value that no network has": (
        SPACE + "  more: {range: [-2, -1], sets: {H1.E: tau}}\n",
        13,
        "parameters.more.sets: the network refuses it: ",
    ),
    "a training setting that no network has": (
        SPACE + "  more:\n    range: [0.1, 5]\n    sets: {training: forward_steps}\n",
        15,
        "parameters.more.sets: the network refuses it: training_kwargs.forward_steps: found 2.55; a whole number",
    ),
    "a formula without a value": (
        SPACE + "  more:\n    range: [1, 3]\n    sets: {H1.E: tau = value / 0}\n",
        15,
        "parameters.more.sets: 'more / 0' has no value where more = 2.0: ",
    ),
    "a size without a value": (
        SPACE + "  more:\n    range: [1, 3]\n    sets: {H1.E: size = sqrt(-value)}\n",
        15,
        "parameters.more.sets: 'sqrt(-more)' has no value where more = 2.0: ",
    ),
    "a start out of the range": (
        SPACE + "  more:\n    range: [1, 3]\n    start: 7\n    sets: {H1.E: tau}\n",
        15,
        "parameters.more.start: found 7; it starts outside of its range [1, 3]",
    ),
    "a start that is no choice": (
        SPACE + "  more: {choices: [relu, softplus], start: tanh, sets: {H1.E: activation}}\n",
        13,
        "parameters.more.start: found 'tanh'; it starts outside of its range {relu, softplus}",
    ),
    "a number as a parameter": (
        SPACE + "  extra: 5\n",
        13,
        "parameters.extra: found 5; a mapping would be right, of: about, range, choices,",
    ),
    "a list as a value": (
        SPACE + "  extra: {fixed: [1], sets: {H1.E: tau}}\n",
        13,
        "parameters.extra.fixed: found [1]; a finite number, text, true or false would be right",
    ),
    "range and choices": (
        SPACE + "  more: {range: [0, 1], choices: [a], sets: {H1.E: activation}}\n",
        13,
        "parameters.more: found both range and choices",
    ),
    "a choice twice": (
        SPACE + "  more: {choices: [relu, relu], sets: {H1.E: activation}}\n",
        13,
        "parameters.more: found a value twice among the choices",
    ),
    "arithmetic on text": (
        SPACE + "  more: {choices: [relu, linear], sets: {H1.E: activation = 2 * value}}\n",
        13,
        "found the formula '2 * more'; choices that are no numbers are set as they are",
    ),
    "condition on no category": (
        SPACE + "  more: {range: [1, 2], sets: {H1.E: tau}, when: {rate: 1}}\n",
        13,
        "parameters.more.when: 'rate' is no categorical parameter",
    ),
    "unknown objective": (
        SPACE + "objectives: [accuracy, los]\n",
        13,
        "objectives: found objective 'los'; did you mean 'loss'?",
    ),
    "one objective without a list": (
        SPACE + "objectives: accuracy\n",
        13,
        "objectives: found 'accuracy'; a list such as [accuracy], or a mapping such as {accuracy: {aggregate: worst}}",
    ),
    "no objective": (SPACE + "objectives: []\n", 13, "objectives: found none; [accuracy] would do"),
    "an objective twice": (
        SPACE + "objectives: [accuracy, accuracy]\n",
        13,
        "objectives: found objective 'accuracy' twice",
    ),
    "unknown aggregate": (
        SPACE + "objectives: {loss: {aggregate: maen}}\n",
        13,
        "objectives.loss.aggregate: found 'maen'",
    ),
    "one condition without a list": (
        SPACE + "require: rate < scale\n",
        13,
        "require: found 'rate < scale'; a list would be right: ['rate < scale']",
    ),
    "one point without a list": (
        SPACE + "start_with: nosuch\n",
        13,
        "start_with: found 'nosuch'; a list would be right: ['nosuch']",
    ),
    "half an interval": (
        SPACE + "run: {val_interval: [0, -1]}\n",
        13,
        "run.val_interval: found [0, -1]; validation is at [start, stop, step]",
    ),
    "condition on no feature": (
        SPACE + "reject: [residual > 0]\n",
        13,
        "reject[0]: unknown name 'residual' in 'residual > 0'; did you mean 'dynamics_residuals'?",
    ),
    "condition on no parameter": (
        SPACE + "require:\n- rate < slace\n",
        14,
        "require[0]: unknown name 'slace' in 'rate < slace'; did you mean 'scale'?",
    ),
    "point of an unknown parameter": (
        SPACE + "points:\n  best:\n    params: {rate: 1, scael: 2}\n",
        15,
        "points.best.params.scael: unknown parameter 'scael'; did you mean 'scale'?",
    ),
    "point without a value": (
        SPACE + "points:\n  best:\n    params: {rate: 1}\n",
        15,
        "points.best.params: no value for scale, and no 'start' of its own",
    ),
    "no base": (SPACE + "extends: nothing\n", 13, "extends: found 'nothing'; there is no file"),
    "itself as base": (SPACE + "extends: space\n", None, "extends: found a file that extends itself"),
    "no network file": (SPACE.replace("net\n", "nte\n"), 1, "network: found 'nte'; there is no file"),
    "too many seeds": (SPACE + "instances: 300\n", 13, "instances: found count 300; seeds are one byte"),
    "instances in words": (
        SPACE + "instances: many\n",
        13,
        "instances: found 'many'; a number, {count, network_id, task_id, ...}, or a list of [network seed, data seed]",
    ),
    "three seeds": (
        SPACE + "instances: [[1, 2, 3]]\n",
        13,
        "instances[0]: found [1, 2, 3]; an instance is [network seed, data seed]",
    ),
    "one seed": (
        SPACE + "instances:\n- [1, 2]\n- [3]\n",
        15,
        "instances[1]: found [3]; an instance is [network seed, data seed]",
    ),
    "a pair of seeds twice": (
        SPACE + "instances:\n- [1, 2]\n- [3, 4]\n- [1, 2]\n",
        16,
        "instances[2]: found [1, 2] twice; the second one would only repeat the first",
    ),
    "a negative data seed": (
        SPACE + "instances:\n  count: 2\n  pairs:\n  - [-1, 2]\n  - [1, -2]\n",
        17,
        "instances.pairs[1]: found the data seed -2; a whole number of 0 or more would be right",
    ),
    "an unknown key of the race": (
        SPACE + "race: {frist: 2}\n",
        13,
        "race: unknown key 'frist'; did you mean 'first'?",
    ),
    "no text": ("", None, "the file is empty; a space file has keys such as"),
    "no YAML": ("network: [", 2, "not valid YAML"),
    "a key twice": (SPACE + "data: mnist\n", 13, "data: the key is given twice, first on line 2"),
}


@pytest.mark.parametrize(("text", "line", "words"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_line_that_says_where_and_what(
    make: MakeSpace, text: str, line: int | None, words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        make(text)
    message = str(caught.value)
    assert "\n" not in message
    assert words in message
    place = re.match(r"(.*/space\.yaml)(?::(\d+))?: ", message)
    assert place, message
    assert place[2] == (str(line) if line else place[2])


def test_a_study_that_was_begun_with_a_contradiction_goes_on_to_open(make: MakeSpace) -> None:
    """They are refused in files only: a study keeps its space as plain data."""
    data = make(SPACE + "instances: [[1, 2], [3, 4]]\n").to_dict()
    data["instances"]["pairs"] = [[1, 2], [1, 2]]
    data["parameters"]["rate"]["start"] = 7.0
    assert SearchSpace.from_dict(data).instances == ((1, 2), (1, 2))


def test_a_mistake_in_a_base_names_the_base(make: MakeSpace) -> None:
    with pytest.raises(ConfigError, match=r"/base\.yaml:10: parameters\.scale\.range: found low 9 above high 1"):
        make("extends: base\n", base=SPACE.replace("[0.01, 10.0, log]", "[9, 1]"))


def test_a_mistake_in_the_network_names_the_network(make: MakeSpace) -> None:
    with pytest.raises(ConfigError, match=r"/broken\.yaml:2: "):
        make(
            SPACE.replace("network: net", "network: broken"),
            broken="layers: {Input: {E: 2}, Output: {E: 2}}\nproj: {}\n",
        )


def test_a_missing_file_and_an_unknown_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nothing\.yaml: there is no such file"):
        SearchSpace.load(tmp_path / "nothing.yaml")
    with pytest.raises(
        UserError, match=r"spiral/dale_bakprop: there is no such search space; did you mean 'spiral/dale_b"
    ):
        SearchSpace.load("spiral/dale_bakprop")

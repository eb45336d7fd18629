"""The worked example of docs/search_spaces.md is a space that loads, is short, and does what the text says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from optimize.space import SearchSpace

DOCS = Path(__file__).parents[2] / "docs" / "search_spaces.md"
BLOCK = re.compile(r'^```yaml title="(\S+)"\n(.*?)^```$', re.DOTALL | re.MULTILINE)


@pytest.fixture
def example(tmp_path: Path) -> Path:
    for name, text in BLOCK.findall(DOCS.read_text(encoding="utf-8")):
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_a_new_model_and_its_space_take_less_than_40_lines(example: Path) -> None:
    lines = [line for file in example.glob("*.yaml") for line in file.read_text().splitlines() if line.strip()]
    assert 20 < len(lines) < 40


def test_the_example_loads_and_applies(example: Path) -> None:
    space = SearchSpace.load(example / "one_layer_space.yaml")
    names = [parameter.name for parameter in space.searched]
    assert names == [
        "excitatory_rate",
        "inhibitory_rate",
        "H1_E_Input_E_scale",
        "Output_E_H1_E_scale",
        "H1_E_H1_SomaI_scale",
        "H1_E_H1_DendI_scale",
        "Output_E_Output_SomaI_scale",
        "H1_SomaI_Input_E_scale",
        "H1_SomaI_H1_E_scale",
        "Output_SomaI_H1_E_scale",
        "Output_SomaI_Output_E_scale",
        "feedback",
        "dendi_fraction",
    ]
    params = dict.fromkeys(names, 0.5)
    network = space.apply(params).to_dict()
    assert network["layer_config"]["H1"]["DendI"]["size"] == 32
    assert network["projection_config"]["H1"]["E"]["Output"]["E"]["weight_constraint_kwargs"]["scale"] == 2.0

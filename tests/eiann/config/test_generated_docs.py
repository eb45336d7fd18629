"""The JSON schema says what the reader says, and the generated pages are those of the types as they are now."""

import importlib.util
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from eiann.config import NetworkConfig
from eiann.config.json_schema import json_schema
from eiann.config.writing import write_text
from tests.eiann.config.mutations import good_files

ROOT = Path(__file__).parents[3]
VALIDATOR = jsonschema.Draft202012Validator(json_schema())


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("path", good_files(), ids=lambda path: f"{path.parents[1].name}/{path.stem}")
def test_shipped_networks_pass_in_both_forms(path: Path) -> None:
    VALIDATOR.validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    config = NetworkConfig.from_yaml(path)
    VALIDATOR.validate(config.to_dict())
    VALIDATOR.validate(yaml.safe_load(write_text(config, "compact")))


BROKEN: list[dict[str, Any]] = [
    {"layers": {"Input": {"E": 2.5}}},
    {"layers": {"Input": {"E": {"sise": 2}}}},
    {"layers": {}, "projections": {"E to E": "init 1"}},
    {"layers": {}, "projections": {"E <- E": {"dend": 3}}},
    {"layers": {}, "training": {"taw": 3}},
    {"layers": {}, "projektions": {}},
    {"layer_config": {}, "projection_config": {}, "training_kwargs": {"device": "gpu"}},
    {"layer_config": {"Input": {"E": {"sise": 2}}}, "projection_config": {}},
    {"layer_config": {}, "projection_config": {"H1": {"E": {"Input": {"E": {"direction": "up"}}}}}},
]


@pytest.mark.parametrize("data", BROKEN)
def test_mistakes_do_not_pass(data: dict[str, Any]) -> None:
    assert not VALIDATOR.is_valid(data)


def test_the_dotted_form_passes() -> None:
    layers = {"Input": {"E": {"size": 2}}, "Output": {"E": {"size": 2, "bias": "uniform(0,1)"}}}
    VALIDATOR.validate({"layer_config": layers, "projection_config": {"Output.E": {"Input.E": {"type": "Exc"}}}})


def test_generated_pages_are_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("make_glossary", ROOT / "docs" / "make_glossary.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for path, content in module.files().items():
        assert path.read_text(encoding="utf-8") == content, f"{path.name} is old; run: python docs/make_glossary.py"


def test_examples_of_the_page_work(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "network_format.md").read_text(encoding="utf-8")
    examples = re.findall(r"```yaml[^\n]*\n(.*?)```", text, re.DOTALL)
    (tmp_path / "dale.yaml").write_text(next(example for example in examples if example.startswith("about")))
    (tmp_path / "bigger.yaml").write_text(next(example for example in examples if example.startswith("extends")))
    small, bigger = (NetworkConfig.from_yaml(tmp_path / name) for name in ("dale.yaml", "bigger.yaml"))
    assert len(small.resolved()["order"]["projections"]) == 15
    assert bigger.layer_config["H2"]["E"].size == 500
    code = next(
        example for example in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "NetworkBuilder" in example
    )
    exec(compile(code, "network_format.md", "exec"), {})

"""Write docs/glossary.md and docs/network.schema.json from the types: ``python docs/make_glossary.py``."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from eiann.activations import ACTIVATIONS
from eiann.config import PopulationConfig, ProjectionConfig, TrainingConfig
from eiann.config.compact.words import POPULATION, PROJECTION, TRAINING, Fixed, Flag, Named, Word
from eiann.config.json_schema import describe, json_schema
from eiann.config.schema import Section
from eiann.constraints import CONSTRAINTS
from eiann.initializers import INITIALIZERS
from eiann.rules import BIAS_RULES, RULES

FOLDER = Path(__file__).parent
HEAD = """\
# Glossary of network files

Made from the types by `python docs/make_glossary.py`; do not edit. How to write a file:
[network_format.md](network_format.md).
`network.schema.json` beside this page says the same to editors.
"""


def glossary() -> str:
    """The text of the page."""
    return "\n".join([HEAD, *_sections()])


def _sections() -> Iterator[str]:
    for title, words, model in (
        ("Populations", POPULATION, PopulationConfig),
        ("Projections", PROJECTION, ProjectionConfig),
        ("Training", TRAINING, TrainingConfig),
    ):
        yield f"## {title}\n"
        yield "| word (compact) | key (nested, dotted) | meaning |\n|---|---|---|"
        yield from _rows(words, model)
        yield ""
    yield from _declarations("Learning rules of projections: `rule`", RULES)
    yield from _declarations("Learning rules of biases: `bias`", BIAS_RULES)
    yield from _declarations("Constraints of weights: `constraint`", CONSTRAINTS)
    yield "## Initializers: `init`, `bias_init`\n"
    for name, function in INITIALIZERS.items():
        text = _doc(function)
        yield f"- `{name}`: {text}" if text else f"- `{name}`"
    yield "\n## Activations: `activation`\n"
    for name, activation in ACTIVATIONS.items():
        parameters = ", ".join(f"{key}={value:g}" for key, value in activation.parameters.items())
        yield f"- `{name}({parameters})`" if parameters else f"- `{name}`"
    yield ""


def _rows(words: Mapping[str, Word], model: type[Section]) -> Iterator[str]:
    described: set[str] = set()
    for name, word in words.items():
        keys = [word.key, *([word.arguments] if isinstance(word, Named) else [])]
        shown = [f"`{key}`" for key in keys if key in model.model_fields]
        value = f": {'null' if word.value is None else word.value}" if isinstance(word, Flag) else ""
        described.update(keys)
        meaning = "No learning." if isinstance(word, Fixed) else describe(word, model)
        yield f"| `{name}` | {', '.join(shown) or '–'}{value} | {meaning} |"
    for key, field in model.model_fields.items():
        if key not in described:
            yield f"| – | `{key}` | {' '.join((field.description or '').split())} |"


def _declarations(title: str, registry: Mapping[str, Any]) -> Iterator[str]:
    yield f"## {title}\n"
    for name, declaration in registry.items():
        yield f"### {name}\n"
        # Fenced, so that equations stay as they are.
        yield f"```text\n{inspect.getdoc(declaration) or ''}\n```\n"
        if isinstance(declaration, type) and issubclass(declaration, BaseModel) and declaration.model_fields:
            yield "Parameters: " + ", ".join(_parameters(declaration)) + "\n"


def _parameters(declaration: type[BaseModel]) -> Iterator[str]:
    for key, field in declaration.model_fields.items():
        default = "" if field.is_required() else f"={json.dumps(field.default, default=str)}"
        yield f"`{key}{default}`"


def _doc(item: object) -> str:
    return " ".join((inspect.getdoc(item) or "").split("\n\n")[0].split())


def files() -> dict[Path, str]:
    """Paths and contents of all that is made."""
    schema = json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"
    return {FOLDER / "glossary.md": glossary(), FOLDER / "network.schema.json": schema}


if __name__ == "__main__":
    for path, content in files().items():
        path.write_text(content, encoding="utf-8")
        sys.stdout.write(f"{path}\n")

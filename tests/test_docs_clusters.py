"""Every profile that the documents show is one, and every key that there is stands in its page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

import cluster
from cluster import load_profile
from cluster.kinds import KINDS

DOCS = Path(__file__).parents[1] / "docs" / "clusters"
EXAMPLES = sorted((Path(cluster.__file__).parent / "profiles").glob("*.yaml"))
BLOCK = re.compile(r"^```yaml ?(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
BLOCKS = [
    pytest.param(tag, text, id=f"{page.name}-{number}")
    for page in sorted(DOCS.glob("*.md"))
    for number, (tag, text) in enumerate(BLOCK.findall(page.read_text(encoding="utf-8")))
]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_a_profile_of_its_kind_whose_storage_fits(path: Path) -> None:
    profile = load_profile(path)
    assert profile.kind == path.stem.partition("_")[0]
    if profile.remote_studies is not None:
        assert profile.place.refusal(profile.storage, profile.remote_studies) is None


def test_there_is_one_for_cpus_and_one_for_gpus_of_each_kind_of_cluster() -> None:
    names = {path.stem for path in EXAMPLES}
    assert names == {"here"} | {f"{kind}_{what}" for kind in KINDS if kind != "here" for what in ("cpu", "gpu")}


@pytest.mark.parametrize(("tag", "text"), BLOCKS)
def test_every_block_of_the_pages_loads(tag: str, text: str, tmp_path: Path) -> None:
    if tag == "manifest":
        assert yaml.safe_load(text)["apiVersion"]
        return
    path = tmp_path / "profile.yaml"
    path.write_text(text)
    load_profile(path)


def keys(model: type[BaseModel]) -> set[str]:
    """Names of all fields, those of parts included."""
    found = set()
    for name, field in model.model_fields.items():
        part = field.annotation
        is_part = isinstance(part, type) and issubclass(part, BaseModel)
        found |= keys(part) if is_part else {name}
    return found


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "here"])
def test_a_page_tells_of_every_key_of_its_kind(kind: str) -> None:
    page = (DOCS / f"{kind}.md").read_text(encoding="utf-8")
    words = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`\n]+)`", page))))
    assert keys(KINDS[kind].profile) - {"kind", "environment", "python", "storage"} <= words


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.stem)
def test_commands_of_the_pages_exist(page: Path) -> None:
    from optimize.cli.app import app

    known = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    assert set(re.findall(r"^eiann (\w+)", page.read_text(encoding="utf-8"), re.MULTILINE)) <= known

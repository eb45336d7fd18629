"""A broken configuration loads or gives one line, never anything else."""

import random
from pathlib import Path

import pytest

from eiann.config import NetworkConfig
from eiann.config.writing import write_text
from eiann.config.yaml_source import parse_yaml
from eiann.errors import ConfigError
from tests.eiann.config.mutations import good_texts, mutated_data, mutated_text


def check(config: NetworkConfig) -> None:
    """A configuration that loads can be used: resolved, written, and read again."""
    resolved = config.resolved()
    assert NetworkConfig.from_dict(config.to_dict()).resolved() == resolved
    assert NetworkConfig.from_dict(parse_yaml(write_text(config, "nested"))[0]).resolved() == resolved  # type: ignore[arg-type]
    try:
        write_text(config, "compact")
    except ConfigError as error:
        assert "nested form" in str(error)


def fuzz(count: int, seed: int, folder: Path) -> tuple[int, int]:
    """How many of the mutated files and data loaded, and how many were refused."""
    rng = random.Random(seed)
    texts = [text for text, _ in good_texts()]
    data = [
        found for found in (parse_yaml(text)[0] for text in texts) if isinstance(found, dict) and "extends" not in found
    ]
    path = folder / "net.yaml"
    loaded = refused = 0
    for number in range(count):
        try:
            if number % 2:
                path.write_text(mutated_text(rng.choice(texts), rng), encoding="utf-8")
                config = NetworkConfig.from_yaml(path)
            else:
                config = NetworkConfig.from_dict(mutated_data(rng.choice(data), rng))
        except ConfigError as error:
            assert "\n" not in str(error)
            assert not number % 2 or str(error).startswith(str(path))
            refused += 1
            continue
        check(config)
        loaded += 1
    return loaded, refused


def test_broken_configurations(tmp_path: Path) -> None:
    loaded, refused = fuzz(400, 1, tmp_path)
    assert loaded > 20
    assert refused > 200


@pytest.mark.long
def test_very_many_broken_configurations(tmp_path: Path) -> None:
    loaded, refused = fuzz(10_000, 2, tmp_path)
    assert loaded > 500
    assert refused > 5000

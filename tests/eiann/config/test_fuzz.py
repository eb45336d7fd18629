"""A broken configuration loads or gives one line, never anything else."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from eiann.config import NetworkConfig
from eiann.config.patterns import RESERVED
from eiann.config.writing import write_text
from eiann.config.yaml_source import parse_yaml
from eiann.errors import ConfigError
from tests.eiann.config.mutations import good_texts, mutated_data, mutated_text

RESERVED_NAMES = frozenset(RESERVED)


def check(config: NetworkConfig) -> None:
    """A configuration that loads can be used: resolved, written, and read again."""
    resolved = config.resolved()
    assert NetworkConfig.from_dict(config.to_dict()).resolved() == resolved
    reserved = RESERVED_NAMES.intersection(config.layer_config)  # names that the compact form cannot say
    for form in ("nested",) if reserved else ("nested", "compact"):
        data = parse_yaml(write_text(config, form))[0]  # type: ignore[arg-type]
        assert NetworkConfig.from_dict(data).resolved() == resolved  # type: ignore[arg-type]


def outcome(load: Callable[[], NetworkConfig]) -> str | None:
    """The one line of the error; None if it loaded, and then all else works."""
    try:
        config = load()
    except ConfigError as error:
        return str(error)
    check(config)
    return None


def fuzz(count: int, seed: int, folder: Path) -> tuple[int, int]:
    """How many of the mutated files and data loaded, and how many were refused."""
    rng = random.Random(seed)
    texts = [text for text, _ in good_texts()]
    data = [
        found for found in (parse_yaml(text)[0] for text in texts) if isinstance(found, dict) and "extends" not in found
    ]
    path = folder / "net.yaml"
    errors: list[str] = []
    for number in range(count):
        if number % 2:
            path.write_text(mutated_text(rng.choice(texts), rng), encoding="utf-8")
            error = outcome(lambda: NetworkConfig.from_yaml(path))
            assert error is None or error.startswith(str(path))
        else:
            mutated = mutated_data(rng.choice(data), rng)
            error = outcome(lambda found=mutated: NetworkConfig.from_dict(found))
        if error is not None:
            assert "\n" not in error
            errors.append(error)
    return count - len(errors), len(errors)


def test_broken_configurations(tmp_path: Path) -> None:
    loaded, refused = fuzz(400, 1, tmp_path)
    assert loaded > 20
    assert refused > 200


@pytest.mark.long
def test_very_many_broken_configurations(tmp_path: Path) -> None:
    loaded, refused = fuzz(10_000, 2, tmp_path)
    assert loaded > 500
    assert refused > 5000

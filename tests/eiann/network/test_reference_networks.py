"""Every network file of the reference builds at its full size; none of them has to be refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import eiann

FOLDER = Path(
    os.environ.get("EIANN_NETWORK_CONFIGS", Path(__file__).parents[3] / "../shared/reference/network_configs")
)
FILES = sorted(FOLDER.glob("*/*.yaml"))
MISSING = pytest.param(None, marks=pytest.mark.skip(reason="needs the reference's files: set EIANN_NETWORK_CONFIGS"))


@pytest.mark.parametrize("path", FILES or [MISSING], ids=lambda path: path and f"{path.parent.name}/{path.stem}")
def test_the_network_builds(path: Path) -> None:
    network = eiann.Network.from_yaml(path, seeds=[1])
    assert network.weights.keys() == {j.index for j in network.architecture.projections}

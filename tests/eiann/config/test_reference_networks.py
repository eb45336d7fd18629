"""The published networks: every file loads and reads back equal, and ours in the compact form equal theirs."""

import os
from pathlib import Path

import pytest

import search_spaces
from eiann.config import NetworkConfig

FOLDER = Path(
    os.environ.get("EIANN_NETWORK_CONFIGS", Path(__file__).parents[3] / "../shared/reference/network_configs")
)
SPIRAL = {
    "perceptron": "20250108_EIANN_0_hidden_spiral_van_bp_relu_learned_bias_config",
    "backprop": "20250108_EIANN_2_hidden_spiral_van_bp_relu_learned_bias_config",
    "backprop_zero_bias": "20250108_EIANN_2_hidden_spiral_van_bp_relu_zero_bias_config",
    "dale_backprop": "20250108_EIANN_2_hidden_spiral_bpDale_fixed_SomaI_learned_bias_config",
    "dendritic_target_propagation": "20250108_EIANN_2_hidden_spiral_DTP_fixed_SomaI_learned_bias_config",
}

needs_reference = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="needs the reference's files: set EIANN_NETWORK_CONFIGS"
)


@needs_reference
@pytest.mark.parametrize(("name", "reference"), SPIRAL.items())
def test_spiral_networks_equal_the_published_ones(name: str, reference: str) -> None:
    ours = Path(search_spaces.__file__).parent / "spiral" / "networks" / f"{name}.yaml"
    theirs = FOLDER / "spiral" / f"{reference}.yaml"
    assert NetworkConfig.from_yaml(ours).resolved() == NetworkConfig.from_yaml(theirs).resolved()


@needs_reference
def test_every_published_network_reads_back_equal(tmp_path: Path) -> None:
    files = sorted(FOLDER.glob("*/*.yaml"))
    assert files
    for file in files:
        config = NetworkConfig.from_yaml(file)
        for form in ("compact", "nested"):
            config.to_yaml(tmp_path / "net.yaml", form)  # type: ignore[arg-type]
            assert NetworkConfig.from_yaml(tmp_path / "net.yaml").resolved() == config.resolved(), (file.name, form)

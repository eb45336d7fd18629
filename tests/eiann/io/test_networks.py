"""A saved network comes back whole, and goes on training to the same bits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import eiann
from eiann.executors.choose import EXECUTORS
from eiann.io.state import network_tensors
from tests.eiann.tiny import FIXTURES, rule, tiny_config, tiny_data


def trained(config: Any, dtype: torch.dtype = torch.float32) -> tuple[eiann.Network, eiann.History]:
    network = eiann.Network(config, seeds=[1, 2], dtype=dtype)
    return network, eiann.train(network, tiny_data(), [3, 4], validation=tiny_data(), val_interval=(0, -1, 4))


def assert_equal(one: eiann.Network, other: eiann.Network) -> None:
    mine, its = network_tensors(one), network_tensors(other)
    assert mine.keys() == its.keys()
    for name, value in mine.items():
        assert torch.equal(value, its[name]), name
    assert [config.resolved() for config in one.configs] == [config.resolved() for config in other.configs]
    assert (one.seeds, one.dtype) == (other.seeds, other.dtype)


@pytest.mark.parametrize("executor", list(EXECUTORS))
@pytest.mark.parametrize("fixture", FIXTURES, ids=[fixture[0] for fixture in FIXTURES])
def test_saved_and_loaded_it_goes_on_as_if_unbroken(fixture: tuple[Any, ...], executor: str, tmp_path: Path) -> None:
    dtype = torch.float64 if fixture[0] == "BTSP_19" else torch.float32
    _, hidden, output, bias_rule, backward_steps, *_ = fixture
    network, _ = trained(tiny_config(hidden, output or hidden, bias_rule, backward_steps), dtype)
    if EXECUTORS[executor].refusal(network) is not None:
        return
    eiann.save(network, tmp_path / "net")
    again = eiann.load(tmp_path / "net")
    assert_equal(again, network)
    losses = [eiann.train(each, tiny_data(), [5, 6], executor=executor).loss for each in (network, again)]
    assert torch.equal(*losses)
    assert_equal(again, network)


def test_replicas_of_different_sizes_and_numbers_are_kept(tmp_path: Path) -> None:
    base = tiny_config(rule("BP_like_2E"), rule("BP_like_2E"))
    raw = base.to_dict()
    raw["layer_config"]["H1"]["DendI"]["size"] = 5
    network, history = trained([base, eiann.NetworkConfig.from_dict(raw)])
    eiann.save(network, tmp_path / "net", history)
    again = eiann.load(tmp_path / "net")
    assert_equal(again, network)
    assert again.units(3) == (3, 5)
    assert {file.name for file in (tmp_path / "net").iterdir()} == {
        "network.yaml", "network-1.yaml", "weights.safetensors", "history.json",
    }  # fmt: skip


def test_other_programs_can_read_the_files(tmp_path: Path) -> None:
    network, history = trained(tiny_config(rule("BP_like_2E"), rule("BP_like_2E")))
    eiann.save(network, tmp_path / "net", history)
    weights = load_file(tmp_path / "net" / "weights.safetensors")
    assert weights["module_dict.H1E_InputE.weight"].shape == (2, 6, 4)
    plain = json.loads((tmp_path / "net" / "history.json").read_text())
    assert plain["loss"]["shape"] == [2, 12]
    assert eiann.NetworkConfig.from_yaml(tmp_path / "net" / "network.yaml").resolved() == network.configs[0].resolved()


def test_a_history_comes_back_to_the_last_bit(tmp_path: Path) -> None:
    bad = tiny_config(rule("Backprop"), rule("Backprop"), None, 3).to_dict()
    for post, pre in (("H1", "Input"), ("Output", "H1")):
        bad["projection_config"][post]["E"][pre]["E"]["learning_rule_kwargs"]["learning_rate"] = -1e30
    network, history = trained(eiann.NetworkConfig.from_dict(bad))
    assert history.failed.all()  # there are numbers in it that JSON has no words for
    eiann.save(network, tmp_path / "net", history)
    again = eiann.load_history(tmp_path / "net")
    for name, value in vars(history).items():
        found = getattr(again, name)
        if isinstance(value, torch.Tensor):
            assert found.dtype == value.dtype
            torch.testing.assert_close(found, value, rtol=0, atol=0, equal_nan=True)
        else:
            assert found == value


def saved(folder: Path) -> Path:
    network, history = trained(tiny_config(rule("BP_like_2E"), rule("BP_like_2E")))
    eiann.save(network, folder / "net", history)
    return folder / "net"


def _cut(name: str) -> Any:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-20])


def _other_network(folder: Path) -> None:
    text = (folder / "network.yaml").read_text()
    assert "DendI: 3" in text
    (folder / "network.yaml").write_text(text.replace("DendI: 3", "DendI: 4"))


@pytest.mark.parametrize(
    ("change", "file", "words"),
    [
        (_cut("weights.safetensors"), "weights.safetensors", "damaged or no safetensors file"),
        (lambda folder: (folder / "weights.safetensors").unlink(), "weights.safetensors", "found no such file"),
        (lambda folder: (folder / "network.yaml").unlink(), "network.yaml", "found no such file"),
        (lambda folder: (folder / "network.yaml").write_text("a: ["), "network.yaml", ""),
        (_other_network, "weights.safetensors", "this network has torch.float32, (2, 4)"),
        (_cut("history.json"), "history.json", "damaged or no JSON"),
        (lambda folder: (folder / "history.json").write_text("{}"), "history.json", "JSON of something else"),
        (lambda folder: (folder / "history.json").unlink(), "history.json", "No such file"),
    ],
)
def test_a_damaged_or_missing_file_is_one_line_that_names_it(
    tmp_path: Path, change: Any, file: str, words: str
) -> None:
    folder = saved(tmp_path)
    change(folder)
    with pytest.raises(eiann.UserError) as caught:
        eiann.load_history(folder) if file == "history.json" else eiann.load(folder)
    message = str(caught.value)
    assert message.startswith(str(folder / file))
    assert words in message
    assert "\n" not in message


def test_a_checkpoint_is_no_saved_network(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    network = eiann.load(folder)
    eiann.train(network, tiny_data(), [1, 2], checkpoint=eiann.Checkpoint(folder / "weights.safetensors.new"))
    (folder / "weights.safetensors.new").replace(folder / "weights.safetensors")
    with pytest.raises(eiann.UserError, match="found a training checkpoint; a saved network is needed"):
        eiann.load(folder)


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    network = eiann.load(folder)
    with pytest.raises(eiann.UserError, match="overwrite=True"):
        eiann.save(network, folder)
    eiann.save(network, folder, overwrite=True)
    assert not (folder / "history.json").exists()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("mine")
    with pytest.raises(eiann.UserError, match="other things in it"):
        eiann.save(network, tmp_path / "notes", overwrite=True)
    assert (tmp_path / "notes" / "a.txt").read_text() == "mine"
    with pytest.raises(eiann.UserError, match="found a file"):
        eiann.save(network, tmp_path / "notes" / "a.txt")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net", "notes"]


def test_a_full_disk_leaves_the_old_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = saved(tmp_path)
    network = eiann.load(folder)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(eiann.UserError, match="No space left on device"):
        eiann.save(network, folder, overwrite=True)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["net"]

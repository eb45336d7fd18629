"""Training that was cut off goes on from its checkpoint to the same bits, with every rule, on every executor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import eiann
from eiann.executors.choose import EXECUTORS
from eiann.io.state import network_tensors
from tests.eiann.tiny import FIXTURES, rule, tiny_config, tiny_data

STEPS = 24


class CrashError(Exception):
    """The power goes."""


def crash_at(step: int) -> Any:
    def progress(done: int, total: int) -> None:
        if done >= step:
            raise CrashError

    return progress


def networks() -> dict[str, eiann.NetworkConfig]:
    """The tiny network with every rule, and with what only some networks have."""
    found = {
        name: tiny_config(hidden, output or hidden, bias_rule, backward_steps)
        for name, hidden, output, bias_rule, backward_steps, *_ in FIXTURES
    }
    raw = found["Backprop with biases"].to_dict()
    for optimizer, kwargs in (("Adam", {}), ("SGD", {"momentum": 0.9, "nesterov": True})):
        settings = {**raw["training_kwargs"], "optimizer": optimizer, "optimizer_kwargs": kwargs}
        found[f"{optimizer} with memory"] = eiann.NetworkConfig.from_dict({**raw, "training_kwargs": settings})
    raw = tiny_config(rule("BP_like_2E"), rule("BP_like_2E")).to_dict()
    masked = raw["projection_config"]["H1"]["SomaI"]["Input"]["E"]
    masked["weight_constraint"] = "receptive_field_mask"
    masked["weight_constraint_kwargs"] = {"receptive_field_size": 1, "image_dims": [2, 2]}
    found["a mask"] = eiann.NetworkConfig.from_dict(raw)
    return found


NETWORKS = networks()


def run(
    config: eiann.NetworkConfig, executor: str, checkpoint: eiann.Checkpoint | None = None, progress: Any = None
) -> tuple[eiann.Network, eiann.History]:
    network = eiann.Network(config, seeds=[66049, 7])
    data = tiny_data()
    history = eiann.train(
        network, data, [257, 3], epochs=2, validation=data, val_interval=(0, -1, 5), executor=executor,
        checkpoint=checkpoint, progress=progress,
    )  # fmt: skip
    return network, history


def same(one: torch.Tensor | None, other: torch.Tensor | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.dtype == other.dtype and torch.equal(one.nan_to_num(7.0), other.nan_to_num(7.0))


def assert_same(found: tuple[eiann.Network, eiann.History], expected: tuple[eiann.Network, eiann.History]) -> None:
    mine, other = (network_tensors(network) for network, _ in (found, expected))
    assert mine.keys() == other.keys()
    for name, value in other.items():
        assert same(mine[name], value), name
    for name, value in vars(expected[1]).items():
        if isinstance(value, torch.Tensor):
            assert same(getattr(found[1], name), value), name


@pytest.mark.parametrize("executor", list(EXECUTORS))
@pytest.mark.parametrize("name", NETWORKS)
def test_cut_off_and_made_again_a_training_call_gives_the_same_bits(name: str, executor: str, tmp_path: Path) -> None:
    config = NETWORKS[name]
    if EXECUTORS[executor].refusal(eiann.Network(config, seeds=[1])) is not None:
        assert executor == "native"
        assert "memory" in name or "stochastic" in name
        return
    unbroken = run(config, executor)
    checkpoint = eiann.Checkpoint(tmp_path / "run.checkpoint", every=5)
    for crash in (7, 12, 18):
        with pytest.raises(CrashError):
            run(config, executor, checkpoint, crash_at(crash))
    assert_same(run(config, executor, checkpoint), unbroken)
    assert_same(run(config, executor, checkpoint), unbroken)  # from the last one, which is of the end


@pytest.mark.parametrize("executor", list(EXECUTORS))
def test_parameters_that_were_overwritten_go_on_to_the_same_bits(executor: str, tmp_path: Path) -> None:
    """A clone that does not equal its source at the beginning makes the native executor work in another way."""

    def overwritten() -> eiann.Network:
        network = eiann.Network(NETWORKS["BP_like_2L"], seeds=[1])
        network.state_dict()["module_dict.H1E_OutputE.weight"].mul_(1.5)
        return network

    def train(network: eiann.Network, **keys: Any) -> tuple[eiann.Network, eiann.History]:
        return network, eiann.train(network, tiny_data(), [3], epochs=2, executor=executor, **keys)

    checkpoint = eiann.Checkpoint(tmp_path / "run.checkpoint", every=4)
    with pytest.raises(CrashError):
        train(overwritten(), checkpoint=checkpoint, progress=crash_at(9))
    assert_same(train(overwritten(), checkpoint=checkpoint), train(overwritten()))


def test_what_was_done_is_not_done_again(tmp_path: Path) -> None:
    checkpoint = eiann.Checkpoint(tmp_path / "run.checkpoint", every=5)
    with pytest.raises(CrashError):
        run(NETWORKS["BTSP_19"], "auto", checkpoint, crash_at(16))
    seen: list[int] = []
    run(NETWORKS["BTSP_19"], "auto", checkpoint, lambda done, total: seen.append(done))
    assert min(seen) > 15
    assert seen[-1] == STEPS


def _checkpoint(folder: Path) -> Path:
    path = folder / "run.checkpoint"
    run(NETWORKS["BP_like_2E"], "auto", eiann.Checkpoint(path))
    return path


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-9]), "damaged or no safetensors file"),
        (lambda path: path.write_bytes(path.read_bytes()[:3]), "damaged or no safetensors file"),
        (lambda path: path.write_bytes(b""), "damaged or no safetensors file"),
        (lambda path: path.write_text("layers: {}"), "damaged or no safetensors file"),
        (lambda path: path.write_bytes(b'\x02\x00\x00\x00\x00\x00\x00\x00{}'), "that eiann did not write"),
    ],
)  # fmt: skip
def test_a_damaged_or_foreign_file_is_one_line(tmp_path: Path, change: Any, words: str) -> None:
    path = _checkpoint(tmp_path)
    change(path)
    with pytest.raises(eiann.UserError) as caught:
        run(NETWORKS["BP_like_2E"], "auto", eiann.Checkpoint(path))
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"config": NETWORKS["BP_like_2L"]}, "network"),
        ({"seeds": [1, 2]}, "network seeds"),
        ({"dtype": torch.float64}, "dtype"),
        ({"data_seeds": [1, 2]}, "order of samples"),
        ({"epochs": 1}, "order of samples"),
        ({"executor": "torch"}, "executor"),
        ({"validation": None}, "validation data"),
        ({"val_interval": (0, -1, 6)}, "validation steps"),
        ({"callbacks": [eiann.Recorder("parameters")]}, "recorders"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path, keys: dict[str, Any], words: str) -> None:
    path = _checkpoint(tmp_path)
    before = path.read_bytes()
    keys = {
        "config": NETWORKS["BP_like_2E"],
        "seeds": [66049, 7],
        "dtype": torch.float32,
        "data_seeds": [257, 3],
        **keys,
    }
    network = eiann.Network(keys.pop("config"), seeds=keys.pop("seeds"), dtype=keys.pop("dtype"))
    settings = {"epochs": 2, "validation": tiny_data(), "val_interval": (0, -1, 5), **keys}
    with pytest.raises(eiann.UserError, match=rf"a checkpoint of another run: {words} .* there, .* here") as caught:
        eiann.train(network, tiny_data(), checkpoint=eiann.Checkpoint(path), **settings)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == before


def test_a_checkpoint_needs_a_distance() -> None:
    with pytest.raises(eiann.UserError, match="found 0 as steps between two"):
        eiann.Checkpoint("run.checkpoint", every=0)


@pytest.mark.parametrize(
    "other",
    [
        eiann.Recorder("parameters"),
        eiann.Recorder("activity", interval=(0, -1, 7)),
        eiann.Recorder("activity", populations=["H1.E"]),
        eiann.Recorder("activity", step_before=True),
    ],
    ids=["kind", "interval", "populations", "step before"],
)
def test_a_recorder_goes_on_with_what_it_was_asked_for(tmp_path: Path, other: eiann.Recorder) -> None:
    checkpoint = eiann.Checkpoint(tmp_path / "run.checkpoint", every=5)

    def train(recorder: eiann.Recorder, progress: Any = None) -> None:
        network = eiann.Network(NETWORKS["BP_like_2E"], seeds=[66049])
        callbacks = [recorder]
        eiann.train(network, tiny_data(), [257], callbacks=callbacks, checkpoint=checkpoint, progress=progress)

    with pytest.raises(CrashError):
        train(eiann.Recorder("activity"), crash_at(6))
    with pytest.raises(eiann.UserError, match="a checkpoint of another run: recorders"):
        train(other)
    same = eiann.Recorder("activity")
    train(same)
    assert len(same.recording.steps) == len(tiny_data())


@pytest.mark.parametrize("executor", ["torch", "native"])
def test_a_network_whose_training_was_cut_off_has_what_it_learned(executor: str) -> None:
    """Whoever catches a Ctrl-C may save it."""
    whole, cut = (eiann.Network(NETWORKS["BP_like_2E"], seeds=[66049]) for _ in range(2))
    eiann.train(whole, tiny_data(), [257], executor=executor, epochs=20, steps=10)
    with pytest.raises(CrashError):
        eiann.train(cut, tiny_data(), [257], executor=executor, epochs=40, steps=10, progress=crash_at(200))
    for name, value in whole.state_dict().items():
        assert torch.equal(cut.state_dict()[name], value), name

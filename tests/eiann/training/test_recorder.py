"""Recording changes no result, is bounded, and survives a crash."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import eiann
from eiann.executors.choose import EXECUTORS
from eiann.io.state import network_tensors
from eiann.training.recorder import KINDS
from tests.eiann.tiny import FIXTURES, rule, tiny_config, tiny_data

CONFIG = tiny_config(rule("BP_like_2L"), rule("BP_like_2L"))
BCM = tiny_config(*[rule("Supervised_BCM_4", theta_tau=10, k=0.3, relu_gate=True, max_pop_fraction=1)] * 2)


def train(config: Any = CONFIG, executor: str = "auto", **keys: Any) -> tuple[eiann.Network, eiann.History]:
    network = eiann.Network(config, seeds=[66049, 7])
    return network, eiann.train(network, tiny_data(), [257, 3], epochs=2, executor=executor, **keys)


def kinds_of(network: eiann.Network) -> list[str]:
    """What can be recorded of a network."""
    found = []
    for kind in KINDS:
        try:
            eiann.Recorder(kind).begin(network, 1)
        except eiann.UserError:
            continue
        found.append(kind)
    return found


@pytest.mark.parametrize("executor", list(EXECUTORS))
@pytest.mark.parametrize("fixture", FIXTURES, ids=[fixture[0] for fixture in FIXTURES])
def test_recording_everything_after_every_step_changes_no_bit(fixture: tuple[Any, ...], executor: str) -> None:
    _, hidden, output, bias_rule, backward_steps, *_ = fixture
    config = tiny_config(hidden, output or hidden, bias_rule, backward_steps)
    network = eiann.Network(config, seeds=[1])
    if EXECUTORS[executor].refusal(network) is not None:
        return
    recorder = eiann.Recorder(*kinds_of(network))
    recorded, plain = train(config, executor, callbacks=[recorder]), train(config, executor)
    assert torch.equal(recorded[1].loss, plain[1].loss)
    mine, other = network_tensors(recorded[0]), network_tensors(plain[0])
    assert mine.keys() == other.keys()
    assert all(torch.equal(mine[name], other[name]) for name in mine)
    assert recorder.recording.steps.tolist() == list(range(24))


def test_each_kind_is_there_for_some_network() -> None:
    found = {kind for config in (CONFIG, BCM) for kind in kinds_of(eiann.Network(config, seeds=[1]))}
    assert found == set(KINDS)


@pytest.mark.parametrize("executor", list(EXECUTORS))
def test_what_is_recorded_is_what_the_step_did(executor: str) -> None:
    """W := W + eta pi x [x]: the change of weight between two records follows from plateau and activity."""
    recorder = eiann.Recorder("parameters", "plateau", "backward_activity", "activity", "dynamics")
    train(executor=executor, callbacks=[recorder])
    found = recorder.recording
    weights = found["module_dict.OutputE_H1E.weight"]
    change = 0.1 * found["plateau:Output.E"][..., None] * found["backward_activity:H1.E"][..., None, :].clamp(0, 1)
    expected = (weights[:, :-1] + change[:, 1:]).clamp(min=0)
    assert torch.allclose(weights[:, 1:], expected, atol=1e-6)
    dynamics = found["dynamics:H1.E"]
    assert dynamics.shape == (2, 24, 15, 6)
    assert torch.equal(dynamics[:, :, -1], found["activity:H1.E"])
    order = train(executor=executor)[1].sample_order
    assert torch.equal(found["activity:Input.E"], tiny_data().inputs[order])


def test_thresholds_are_those_of_each_population() -> None:
    recorder = eiann.Recorder("threshold", "backward_activity")
    network, _ = train(BCM, callbacks=[recorder])
    found = recorder.recording
    for label in ("H1.E", "Output.E"):
        theta, activity = found[f"threshold:{label}"], found[f"backward_activity:{label}"]
        assert torch.allclose(theta[:, 1:], theta[:, :-1] + (activity[:, 1:] ** 2 / 0.3 - theta[:, :-1]) / 10)
    assert torch.equal(found["threshold:Output.E"][:, -1], network.states["theta:4"])


def test_intervals_and_populations_limit_what_is_recorded() -> None:
    recorder = eiann.Recorder("activity", populations=["H1.E"], interval=(0, -1, 10))
    train(callbacks=[recorder])
    assert list(recorder.recording) == ["activity:H1.E"]
    assert recorder.recording.steps.tolist() == [0, 3, 13, 23]


def test_memory_is_bounded() -> None:
    recorder = eiann.Recorder("activity", into=eiann.Memory(limit=5))
    train(callbacks=[recorder])
    assert recorder.recording.steps.tolist() == [19, 20, 21, 22, 23]
    assert recorder.recording["activity:H1.E"].shape == (2, 5, 6)


def test_a_stream_on_the_disk_holds_all_and_memory_one_part(tmp_path: Path) -> None:
    everything = eiann.Recorder("activity", "parameters")
    stream = eiann.Recorder("activity", "parameters", into=eiann.Disk(tmp_path / "run", records_per_part=7))
    held = []

    class Look(type(everything)):  # type: ignore[misc]
        def record(self, moment: Any) -> None:
            super().record(moment)
            held.append(len(stream._sink._records))

    train(callbacks=[stream, Look("activity"), everything])
    assert max(held) < 7
    found = eiann.Recording.open(tmp_path / "run")
    assert len(list((tmp_path / "run").iterdir())) == 4
    assert found.steps.tolist() == list(range(24))
    assert found.keys() == everything.recording.keys()
    assert all(torch.equal(found[name], value) for name, value in everything.recording.items())


@pytest.mark.parametrize("executor", list(EXECUTORS))
def test_a_recording_goes_on_from_a_checkpoint(executor: str, tmp_path: Path) -> None:
    class CrashError(Exception):
        pass

    def crash(done: int, total: int) -> None:
        if done > 13:
            raise CrashError

    def recorders(name: str) -> list[eiann.Recorder]:
        disk = eiann.Disk(tmp_path / name, records_per_part=3)
        return [eiann.Recorder("plateau", into=eiann.Memory(10)), eiann.Recorder("activity", into=disk)]

    checkpoint = eiann.Checkpoint(tmp_path / "run.checkpoint", every=8)
    with pytest.raises(CrashError):
        train(executor=executor, callbacks=recorders("cut"), checkpoint=checkpoint, progress=crash)
    resumed, unbroken = recorders("cut"), recorders("unbroken")
    train(executor=executor, callbacks=resumed, checkpoint=checkpoint)
    train(executor=executor, callbacks=unbroken)
    for one, other in zip(resumed, unbroken, strict=True):
        assert torch.equal(one.recording.steps, other.recording.steps)
        assert all(torch.equal(one.recording[name], value) for name, value in other.recording.items())


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: eiann.Recorder("activty"), "did you mean 'activity'"),
        (eiann.Recorder, "found nothing to record"),
        (lambda: eiann.Recorder("activity", populations=["H2.E"]), "the populations are: Input.E, H1.E"),
        (lambda: eiann.Recorder("threshold"), "no population of this network has one"),
        (lambda: eiann.Recorder("plateau", populations=["H1.SomaI"]), "none of ['H1.SomaI'] has one"),
        (lambda: eiann.Recorder("activity", interval=(0, 99, 1)), "training has the steps 0 to 23"),
        (lambda: eiann.Recorder("activity", into=eiann.Memory(0)), "at least 1"),
    ],
)
def test_a_wrong_recorder_is_refused_before_the_first_sample(make: Any, words: str) -> None:
    with pytest.raises(eiann.UserError) as caught:
        train(callbacks=[make()], progress=lambda done, total: pytest.fail("it trained"))
    assert words in str(caught.value)


def test_a_folder_with_a_recording_is_not_mixed_with_another(tmp_path: Path) -> None:
    train(callbacks=[eiann.Recorder("activity", into=eiann.Disk(tmp_path))])
    with pytest.raises(eiann.UserError, match="found a recording; give the recorder another folder"):
        train(callbacks=[eiann.Recorder("activity", into=eiann.Disk(tmp_path))])
    with pytest.raises(eiann.UserError, match="found no recording"):
        eiann.Recording.open(tmp_path / "nowhere")

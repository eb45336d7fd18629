"""Learning curves show each replica, the range and the median, and say how many replicas diverged."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from eiann.errors import UserError
from eiann.plots import angle_curves, learning_curves
from eiann.plots.curves import short_name
from tests.eiann.plots.texts import cut_off, overlaps

STEPS = np.array([0, 100, 200, 300])


def history(level: float = 1.0, replicas: int = 3) -> SimpleNamespace:
    spread = np.arange(replicas)[:, None] * 0.1
    return SimpleNamespace(
        val_steps=STEPS,
        val_loss=level / (1 + STEPS[None] / 100) + spread,
        val_accuracy=20 + STEPS[None] / 5 + 10 * spread,
    )


def medians(figure: Figure, panel: int) -> list[np.ndarray]:
    return [np.asarray(line.get_ydata()) for line in figure.axes[panel].lines if line.get_linewidth() == 2.0]


def test_panels_are_loss_and_accuracy_over_training_steps() -> None:
    figure = learning_curves(history())
    assert [axes.get_ylabel() for axes in figure.axes] == ["Validation loss", "Validation accuracy (%)"]
    assert {axes.get_xlabel() for axes in figure.axes} == {"Training step"}


def test_a_loss_that_falls_by_orders_of_magnitude_is_drawn_in_its_logarithm() -> None:
    data = history()
    assert learning_curves(data).axes[0].get_yscale() == "linear"
    data.val_loss = data.val_loss + 0.1
    data.val_loss[:, 0] = 200.0
    assert learning_curves(data).axes[0].get_yscale() == "log"


def test_every_replica_and_the_median_are_drawn() -> None:
    data = history()
    for panel, values in enumerate((data.val_loss, data.val_accuracy)):
        figure = learning_curves(data)
        lines = [np.asarray(line.get_ydata()) for line in figure.axes[panel].lines]
        assert len(lines) == 4
        for replica in values:
            assert any(np.array_equal(line, replica) for line in lines)
        np.testing.assert_allclose(medians(figure, panel)[0], np.median(values, axis=0))


def test_the_band_is_the_range_of_the_replicas() -> None:
    data = history()
    (band,) = learning_curves(data).axes[0].collections
    corners = band.get_paths()[0].vertices
    for step, low, high in zip(STEPS, data.val_loss.min(0), data.val_loss.max(0), strict=True):
        at = corners[corners[:, 0] == step][:, 1]
        assert at.min() == pytest.approx(low)
        assert at.max() == pytest.approx(high)


def test_tensors_are_taken_as_they_come_from_training() -> None:
    data = history()
    tensors = SimpleNamespace(**{name: torch.as_tensor(value) for name, value in vars(data).items()})
    np.testing.assert_allclose(medians(learning_curves(tensors), 0)[0], np.median(data.val_loss, axis=0))


def test_a_diverged_replica_is_counted_and_does_not_spoil_the_median() -> None:
    data = history()
    data.val_loss[1, 2:] = np.nan
    data.val_loss[2, 3] = np.inf
    figure = learning_curves(data)
    assert [text.get_text() for text in figure.axes[0].texts] == ["2 of 3 replicas diverged"]
    assert [text.get_text() for text in figure.axes[1].texts] == []
    np.testing.assert_allclose(
        medians(figure, 0)[0], np.nanmedian(np.where(np.isfinite(data.val_loss), data.val_loss, np.nan), 0)
    )


def test_all_replicas_may_diverge() -> None:
    data = history()
    data.val_loss[:] = np.nan
    assert "3 of 3" in learning_curves(data).axes[0].texts[0].get_text()


def test_several_histories_are_named_in_a_legend_and_nothing_overlaps() -> None:
    figure = learning_curves({"Dale backprop": history(), "target propagation": history(2.0)}, chance=25)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["Dale backprop", "target propagation"]
    assert len(medians(figure, 0)) == 2
    assert overlaps(figure) == []
    assert cut_off(figure) == []


def test_chance_is_marked() -> None:
    figure = learning_curves(history(), chance=25)
    assert any(list(line.get_ydata()) == [25, 25] for line in figure.axes[1].lines)
    assert "chance" in [text.get_text() for text in figure.axes[1].texts]


def test_a_single_replica_and_a_single_step_are_drawn() -> None:
    data = SimpleNamespace(val_steps=[0], val_loss=[[0.5]], val_accuracy=[[30.0]])
    (line,) = learning_curves(data).axes[0].lines
    assert line.get_marker() == "o"


def test_angles_have_a_panel_for_each_weight_and_the_right_angle_is_marked() -> None:
    angles = {"module_dict.H1E_InputE.weight": np.full((2, 4), 40.0), "all_params": np.full((2, 4), np.nan)}
    figure = angle_curves(STEPS, angles, title="Against backprop")
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["H1E ← InputE", "all weights"]
    for axes in figure.axes:
        assert axes.get_ylim() == (0, 180)
        assert any(list(line.get_ydata()) == [90, 90] for line in axes.lines)
    np.testing.assert_array_equal(medians(figure, 0)[0], np.full(4, 40.0))
    assert overlaps(figure) == []


def test_names_of_parameters_are_written_for_readers() -> None:
    assert short_name("module_dict.H1E_InputE.weight") == "H1E ← InputE"
    assert short_name("parameter_dict.H1E_bias") == "H1E bias"


def test_nothing_and_wrong_shapes_are_refused() -> None:
    with pytest.raises(UserError, match="no history"):
        learning_curves({})
    with pytest.raises(UserError, match=r"found \(2, 3\) values at 4 steps"):
        angle_curves(STEPS, {"a": np.zeros((2, 3))})
    with pytest.raises(UserError, match="no angles"):
        angle_curves(STEPS, {})

"""Weights are drawn as they are: the right values, one scale for signs, zeros counted."""

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from eiann.errors import UserError
from eiann.plots import receptive_fields, weight_histograms, weight_matrices
from tests.eiann.plots.texts import cut_off, overlaps

NAMES = ["module_dict.H1E_InputE.weight", "module_dict.H1E_H1SomaI.weight", "module_dict.OutputE_H1E.weight"]


def state() -> dict[str, torch.Tensor]:
    numbers = torch.Generator().manual_seed(0)
    excite, inhibit, both = (torch.randn(2, 6, 4, generator=numbers) for _ in range(3))
    return dict(zip(NAMES, (excite.relu(), -inhibit.relu(), both), strict=True))


def panels(figure: Figure) -> list:
    return [axes for axes in figure.axes if axes.get_title(loc="left")]


def test_a_matrix_is_that_of_the_replica_with_its_name() -> None:
    weights = state()
    figure = weight_matrices(weights, replica=1)
    assert [axes.get_title(loc="left") for axes in panels(figure)] == ["H1E ← InputE", "H1E ← H1SomaI", "OutputE ← H1E"]
    for axes, values in zip(panels(figure), weights.values(), strict=True):
        np.testing.assert_allclose(np.asarray(axes.images[0].get_array()), values[1].numpy())


def test_scales_go_from_zero_for_one_sign_and_around_it_for_two() -> None:
    weights = state()
    limits = [axes.images[0].get_clim() for axes in panels(weight_matrices(weights))]
    largest = [float(values[0].abs().max()) for values in weights.values()]
    assert limits[0] == pytest.approx((0, largest[0]))
    assert limits[1] == pytest.approx((-largest[1], 0))
    assert limits[2] == pytest.approx((-largest[2], largest[2]))


def test_no_weight_is_white_in_every_scale() -> None:
    for axes in panels(weight_matrices(state())):
        image = axes.images[0]
        assert min(image.cmap(image.norm(0.0))[:3]) > 0.95


def test_biases_are_left_out_of_matrices() -> None:
    figure = weight_matrices(state() | {"parameter_dict.H1E_bias": torch.zeros(2, 6)})
    assert len(panels(figure)) == 3
    with pytest.raises(UserError, match=r"no array \(replicas, post, pre\)"):
        weight_matrices({"parameter_dict.H1E_bias": torch.zeros(2, 6)})


def test_bars_count_all_replicas_in_percent_and_zeros_in_words() -> None:
    weights = state()
    figure = weight_histograms(weights)
    for axes, values in zip(figure.axes, weights.values(), strict=True):
        zero = 100 * float((values == 0).double().mean())
        assert sum(bar.get_height() for bar in axes.patches) == pytest.approx(100 - zero)
        note = axes.texts[0].get_text()
        assert note == (f"{zero:.0f} % zero" if zero else "")


def test_weights_before_are_an_outline_with_a_legend() -> None:
    weights = state()
    figure = weight_histograms(weights, before={NAMES[0]: weights[NAMES[0]] / 2})
    outlines = [sum(patch.get_fill() is False for patch in axes.patches) for axes in figure.axes]
    assert outlines == [1, 0, 0]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["now", "before"]


def test_weights_that_are_not_finite_are_counted() -> None:
    values = np.ones((1, 4, 5))
    values[0, 0] = np.nan
    note = weight_histograms({NAMES[0]: values}).axes[0].texts[0].get_text()
    assert note == "25 % not finite"


def test_weights_that_are_all_zero_are_drawn() -> None:
    assert weight_histograms({NAMES[0]: np.zeros((1, 4, 5))}).axes[0].texts[0].get_text() == "100 % zero"
    weight_matrices({NAMES[0]: np.zeros((1, 4, 5))})


def test_fields_are_images_in_one_scale() -> None:
    fields = np.random.default_rng(0).normal(size=(5, 12))
    figure = receptive_fields(fields, (3, 4), labels=list("abcde"), title="H1E")
    images = [axes.images[0] for axes in figure.axes if axes.images]
    for image, field in zip(images, fields, strict=True):
        np.testing.assert_array_equal(np.asarray(image.get_array()), field.reshape(3, 4))
        assert image.get_clim() == pytest.approx((-np.abs(fields).max(), np.abs(fields).max()))
    assert [axes.get_title() for axes in figure.axes if axes.images] == list("abcde")


def test_only_the_first_fields_are_drawn_and_the_title_says_so() -> None:
    figure = receptive_fields(np.ones((9, 4)), (2, 2), limit=6, title="H1E")
    assert sum(bool(axes.images) for axes in figure.axes) == 6
    assert figure.get_suptitle() == "H1E (first 6 of 9)"


def test_words_are_legible() -> None:
    weights = state()
    long = [f"module_dict.OutputSomaI_{name}.weight" for name in ("OutputSomaI", "OutputE", "OutputDendI", "H2E")]
    weights |= dict.fromkeys(long, weights[NAMES[0]])
    for figure in (
        weight_matrices(weights),
        weight_histograms(weights, before=weights),
        receptive_fields(np.ones((8, 4)), (2, 2), columns=4),
    ):
        assert overlaps(figure) == []
        assert cut_off(figure) == []


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(UserError, match=r"found \(3, 5\); \(units, 4\) is needed"):
        receptive_fields(np.ones((3, 5)), (2, 2))
    with pytest.raises(UserError, match="no weights"):
        weight_histograms({})

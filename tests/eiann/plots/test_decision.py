"""The decision map colours the plane by the winning output and marks what is wrong or not answered."""

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor

from eiann.data import Dataset, one_hot
from eiann.errors import UserError
from eiann.plots import decision_map
from eiann.plots.style import class_colors
from tests.eiann.plots.texts import cut_off, overlaps

POINTS = torch.tensor([[-1.0, -1.0], [-0.5, 1.0], [0.5, -1.0], [1.0, 1.0]])
DATA = Dataset(POINTS, one_hot(torch.tensor([0, 0, 1, 0]), 2), "halves")


def halves(inputs: Tensor) -> Tensor:
    """Two replicas: the first answers by the sign of input 1, the second answers nothing left of -0.25."""
    right = torch.sigmoid(4 * inputs[:, 0])
    answers = torch.stack((1 - right, right), dim=1)
    return torch.stack((answers, answers * (inputs[:, :1] > -0.25)))


def image(figure: Figure, panel: int) -> np.ndarray:
    return np.asarray(figure.axes[panel].images[0].get_array())


def hue_distance(pixel: np.ndarray, color: tuple[float, float, float]) -> float:
    white = np.ones(3)
    a, b = white - pixel, white - np.array(color)
    return 1 - float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def test_each_side_has_the_colour_of_its_class() -> None:
    figure = decision_map(halves, DATA, replicas=[0], resolution=41)
    pixels = image(figure, 0)
    zero, one = class_colors(2)
    assert pixels.shape == (41, 41, 3)
    assert hue_distance(pixels[20, 3], zero) < 0.02
    assert hue_distance(pixels[20, 37], one) < 0.02
    assert hue_distance(pixels[20, 3], one) > 0.05


def test_axes_of_the_plane_are_not_swapped() -> None:
    def by_height(inputs: Tensor) -> Tensor:
        return torch.stack((-inputs[:, 1], inputs[:, 1]), dim=1)[None]

    pixels = image(decision_map(by_height, DATA, resolution=41), 0)
    zero, one = class_colors(2)
    assert hue_distance(pixels[3, 20], zero) < 0.02  # the first row of the image is the lowest
    assert hue_distance(pixels[37, 20], one) < 0.02


def test_colours_are_pale_where_outputs_are_close() -> None:
    pixels = image(decision_map(halves, DATA, replicas=[0], resolution=41), 0)
    assert pixels[20, 19].sum() > pixels[20, 3].sum()


def test_places_without_an_answer_are_grey_and_named_in_the_legend() -> None:
    figure = decision_map(halves, DATA, resolution=41)
    pixels = image(figure, 1)
    assert np.ptp(pixels[20, 3]) == 0
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words == ["class 0", "class 1", "wrong answer", "no answer"]
    alone = decision_map(halves, DATA, replicas=[0], resolution=41)
    assert "no answer" not in [text.get_text() for text in alone.legends[0].get_texts()]


def test_titles_give_the_accuracy_over_all_samples() -> None:
    figure = decision_map(halves, DATA, points=2, resolution=9)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["Replica 0: 75.0 %", "Replica 1: 75.0 %"]


def test_wrong_samples_are_drawn_with_a_rim() -> None:
    axes = decision_map(halves, DATA, replicas=[0], resolution=8).axes[0]
    right, wrong = axes.collections
    assert right.get_offsets().tolist() == POINTS[:3].tolist()
    assert wrong.get_offsets().tolist() == [[1.0, 1.0]]
    assert wrong.get_linewidths()[0] > 0


def test_the_plane_reaches_beyond_the_samples_or_as_far_as_asked() -> None:
    axes = decision_map(halves, DATA, resolution=9).axes[0]
    assert axes.get_xlim() == pytest.approx((-1.1, 1.1))
    asked = decision_map(halves, DATA, resolution=9, extent=(-3, 3, -2, 2)).axes[0]
    assert (asked.get_xlim(), asked.get_ylim()) == ((-3, 3), (-2, 2))
    assert asked.images[0].get_extent() == [-3, 3, -2, 2]


def test_nan_outputs_are_no_answer() -> None:
    figure = decision_map(lambda inputs: torch.full((1, len(inputs), 2), torch.nan), DATA, resolution=9)
    assert np.ptp(image(figure, 0)[4, 4]) == 0


def test_words_are_legible() -> None:
    figure = decision_map(halves, DATA, resolution=9)
    assert overlaps(figure) == []
    assert cut_off(figure) == []


def test_wrong_use_is_refused() -> None:
    with pytest.raises(UserError, match=r"found inputs \(4, 3\); \(n, 2\)"):
        decision_map(halves, Dataset(torch.zeros(4, 3), DATA.targets))
    with pytest.raises(UserError, match=r"found outputs \(81, 2\)"):
        decision_map(lambda inputs: halves(inputs)[0], DATA, resolution=9)
    with pytest.raises(UserError, match=r"found replicas \[2\]; there are 0 to 1"):
        decision_map(halves, DATA, replicas=[2], resolution=9)

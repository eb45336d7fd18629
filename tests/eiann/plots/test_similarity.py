"""Similarity matrices are drawn in the order of classes, with bars that name them."""

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.patches import Rectangle

from eiann.errors import UserError
from eiann.metrics import pattern_similarity, unit_similarity
from eiann.plots import similarity_matrices
from eiann.plots.style import FAINT, class_colors
from tests.eiann.plots.texts import cut_off, overlaps

LABELS = np.array([1, 0, 1, 0, 2, 2, 2, 2])
ACTIVITY = np.random.default_rng(0).random((8, 6)) + 2 * (np.arange(6) % 3 == LABELS[:, None])
ACTIVITY[:, 5] = 0


def bars(axes) -> list[tuple[float, float, tuple[float, ...]]]:
    """Left end, width and colour of the bars below the matrix."""
    patches = [patch for patch in axes.patches if isinstance(patch, Rectangle) and patch.get_y() < 0]
    return [(patch.get_x(), patch.get_width(), patch.get_facecolor()) for patch in patches]


def test_the_matrix_is_the_one_given() -> None:
    similarity = pattern_similarity(ACTIVITY, LABELS)
    figure = similarity_matrices({"H1E": similarity})
    assert figure.axes[0].get_title(loc="left") == "H1E"
    np.testing.assert_array_equal(np.asarray(figure.axes[0].images[0].get_array()), similarity.matrix)
    assert figure.axes[0].images[0].get_clim() == (0, 1)
    assert figure.axes[1].get_ylabel() == "Cosine similarity"


def test_bars_show_the_extent_of_each_class() -> None:
    axes = similarity_matrices({"H1E": pattern_similarity(ACTIVITY, LABELS)}).axes[0]
    assert bars(axes) == [
        (0.0, 0.25, to_rgba(class_colors(3)[0])),
        (0.25, 0.25, to_rgba(class_colors(3)[1])),
        (0.5, 0.5, to_rgba(class_colors(3)[2])),
    ]
    assert [text.get_text() for text in axes.texts] == ["0", "0", "1", "1", "2", "2"]


def test_silent_units_have_a_grey_bar() -> None:
    figure = similarity_matrices({"H1E": unit_similarity(ACTIVITY, LABELS)}, what="unit")
    start, width, color = bars(figure.axes[0])[-1]
    assert (start, width, color) == (pytest.approx(5 / 6), pytest.approx(1 / 6), to_rgba(FAINT))
    assert figure.axes[0].texts[-1].get_text() == "silent"
    assert figure.get_supxlabel() == "Unit, sorted by class"


def test_opposite_patterns_widen_the_scale() -> None:
    figure = similarity_matrices({"a": pattern_similarity([[1.0, 0], [-1, 0]], [0, 1])})
    assert figure.axes[0].images[0].get_clim() == (-1, 1)


def test_words_are_legible() -> None:
    similarity = pattern_similarity(ACTIVITY, LABELS)
    figure = similarity_matrices(dict.fromkeys(("H1E", "H2E", "OutputE", "OutputSomaI", "more"), similarity))
    assert overlaps(figure) == []
    assert cut_off(figure) == []


def test_all_units_may_be_silent() -> None:
    similarity_matrices({"H1E": unit_similarity(np.zeros((4, 3)), [0, 1, 2, 3])})


def test_nothing_is_refused() -> None:
    with pytest.raises(UserError, match="found none"):
        similarity_matrices({})

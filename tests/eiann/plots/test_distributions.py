"""Distributions and confusion matrices show the numbers that they are given."""

import numpy as np
import pytest

from eiann.errors import UserError
from eiann.plots import confusion_matrix, distributions
from tests.eiann.plots.texts import cut_off, overlaps


def test_lines_rise_to_100_percent_and_dots_are_medians() -> None:
    figure = distributions({"H1E": [[0.1, 0.4], [0.2, 0.3]], "H2E": [0.5, np.nan]}, xlabel="Sparsity")
    axes = figure.axes[0]
    lines = {line.get_label(): line for line in axes.lines}
    np.testing.assert_allclose(lines["H1E"].get_xdata(), [0.1, 0.1, 0.2, 0.3, 0.4])
    np.testing.assert_allclose(lines["H1E"].get_ydata(), [0, 25, 50, 75, 100])
    dots = [list(line.get_xdata()) for line in axes.lines if line.get_marker() == "o"]
    assert dots == [[pytest.approx(0.25)], [0.5]]
    assert "H2E (1 not finite)" in lines
    assert axes.get_xlabel() == "Sparsity"
    assert overlaps(figure) == []
    assert cut_off(figure) == []


def test_a_group_without_a_finite_value_is_still_named() -> None:
    figure = distributions({"H1E": [np.nan]}, xlabel="Structure")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["H1E (1 not finite)"]


def test_rows_are_percent_of_the_true_class() -> None:
    figure = confusion_matrix([[3, 1], [0, 0]])
    np.testing.assert_array_equal(
        np.ma.filled(figure.axes[0].images[0].get_array(), np.nan), [[75, 25], [np.nan, np.nan]]
    )
    assert [text.get_text() for text in figure.axes[0].texts] == ["75", "25"]
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("Answer", "Class")
    assert overlaps(figure) == []


def test_replicas_are_added_up() -> None:
    figure = confusion_matrix([[[2, 0], [0, 1]], [[0, 2], [0, 1]]])
    assert [text.get_text() for text in figure.axes[0].texts] == ["50", "50", "100"]


def test_wrong_input_is_refused() -> None:
    with pytest.raises(UserError, match="square"):
        confusion_matrix(np.ones((2, 3)))
    with pytest.raises(UserError, match="no group"):
        distributions({}, xlabel="")

"""Forward dynamics show the mean of each population and whether it has settled."""

import numpy as np
import pytest
from matplotlib.colors import to_rgba

from eiann.errors import UserError
from eiann.plots import forward_dynamics
from eiann.plots.dynamics import population_residual
from eiann.plots.style import EXCITATORY, INHIBITORY, NEUTRAL, WARNING
from tests.eiann.plots.texts import cut_off, overlaps

RISING = np.linspace(0, 1, 5)[:, None, None] * np.ones((1, 3, 4)) * np.arange(1, 5)


def notes(figure) -> list[tuple[str, tuple[float, ...]]]:
    return [(axes.texts[0].get_text(), to_rgba(axes.texts[0].get_color())) for axes in figure.axes]


def test_the_thick_line_is_the_mean_over_patterns_and_units() -> None:
    axes = forward_dynamics({"H1E": RISING}).axes[0]
    thick = max(axes.lines, key=lambda line: line.get_linewidth())
    np.testing.assert_array_equal(thick.get_xdata(), [1, 2, 3, 4, 5])
    np.testing.assert_allclose(thick.get_ydata(), RISING.mean(axis=(1, 2)))
    assert len(axes.lines) == 5


def test_residuals_are_written_and_red_when_a_population_still_moves() -> None:
    settled = np.ones((5, 2, 3))
    found = notes(forward_dynamics({"a": settled, "b": RISING, "c": 0 * RISING, "d": RISING * np.nan}))
    assert [text for text, _ in found] == ["residual 0", "residual 0.29", "silent", "not finite"]
    assert [color == to_rgba(WARNING) for _, color in found] == [False, True, True, True]
    assert notes(forward_dynamics({"b": RISING}, tolerance=0.5))[0][1] != to_rgba(WARNING)


def test_residual_by_hand() -> None:
    assert population_residual([0.0, 0.75, 1.0]) == pytest.approx(0.25 / 0.875)
    assert population_residual([1.0, 0.0, 0.0]) == 0
    assert population_residual([1.0]) == 0


def test_populations_have_the_colour_of_their_sign() -> None:
    figure = forward_dynamics({"E": RISING, "I": RISING, "X": RISING}, signs={"E": 1, "I": -1})
    thick = [max(axes.lines, key=lambda line: line.get_linewidth()).get_color() for axes in figure.axes]
    assert thick == [EXCITATORY, INHIBITORY, NEUTRAL]


def test_a_single_pattern_may_come_without_its_axis() -> None:
    with_axis = forward_dynamics({"E": RISING[:, :1]}).axes[0].lines[-1].get_ydata()
    np.testing.assert_array_equal(forward_dynamics({"E": RISING[:, 0]}).axes[0].lines[-1].get_ydata(), with_axis)


def test_only_some_units_are_drawn() -> None:
    assert len(forward_dynamics({"E": np.random.default_rng(0).random((5, 2, 100))}, units=10).axes[0].lines) == 11


def test_words_are_legible() -> None:
    figure = forward_dynamics(dict.fromkeys(("H1E", "H1SomaI", "H1DendI", "H2E", "OutputSomaI"), RISING))
    assert overlaps(figure) == []
    assert cut_off(figure) == []


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(UserError, match=r"\(steps, patterns, units\) is needed"):
        forward_dynamics({"E": np.ones((2, 3, 4, 5))})
    with pytest.raises(UserError, match="no population"):
        forward_dynamics({})

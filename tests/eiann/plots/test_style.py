"""All figures look alike, whatever the user's settings are, and leave those settings alone."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from eiann.plots import weight_matrices
from eiann.plots.style import EXCITATORY, INHIBITORY, PALETTE, class_colors, grid, magnitudes, new_figure, tint

STATE = {"module_dict.H1E_InputE.weight": np.ones((1, 3, 2))}


def seen_by_a_deuteranope(color: str) -> np.ndarray:
    """Linear RGB of a colour without green cones (Viénot, Brettel and Mollon 1999)."""
    linear = np.array([part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in to_rgb(color)])
    return np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]]) @ linear


def test_users_settings_neither_matter_nor_change() -> None:
    with mpl.rc_context({"font.size": 40.0, "axes.facecolor": "black"}):
        figure = weight_matrices(STATE)
        assert mpl.rcParams["font.size"] == 40
        assert figure.axes[0].get_facecolor() == (1, 1, 1, 1)
        assert figure.axes[0].title.get_fontsize() < 12


def test_figures_are_no_part_of_a_global_list() -> None:
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    weight_matrices(STATE)
    assert plt.get_fignums() == before


def test_excitation_and_inhibition_stay_apart_for_the_colour_blind() -> None:
    assert np.linalg.norm(seen_by_a_deuteranope(EXCITATORY) - seen_by_a_deuteranope(INHIBITORY)) > 0.3


def test_the_first_four_class_colours_stay_apart_for_the_colour_blind() -> None:
    seen = [seen_by_a_deuteranope(color) for color in PALETTE[:4]]
    assert min(np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[:i]) > 0.08


@pytest.mark.parametrize("count", [1, 4, 10, 26])
def test_each_class_has_its_own_colour(count: int) -> None:
    assert len(set(class_colors(count))) == count


def test_a_tint_goes_from_the_colour_to_white() -> None:
    assert tint("#204060", 0.0) == to_rgb("#204060")
    assert tint("#204060", 1.0) == (1, 1, 1)
    assert magnitudes("#204060")(0.0)[:3] == (1, 1, 1)


@pytest.mark.parametrize(("panels", "columns", "shape"), [(1, 4, (1, 1)), (5, 3, (2, 3)), (6, 3, (2, 3))])
def test_a_grid_has_as_many_axes_as_panels(panels: int, columns: int, shape: tuple[int, int]) -> None:
    figure = new_figure(4, 3)
    axes = grid(figure, panels, columns)
    assert len(axes) == len(figure.axes) == panels
    assert axes[0].get_gridspec().get_geometry() == shape

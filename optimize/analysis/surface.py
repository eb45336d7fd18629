"""Looking along parameters: slices, contours, and the lines of parallel coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from eiann.errors import UserError
from optimize.analysis.unit import Floats, costs_of, from_unit, unit_columns, unit_points, usable
from optimize.space import Parameter

if TYPE_CHECKING:
    from sklearn.ensemble import ExtraTreesRegressor

_LEAST: Final = 10
_TREES: Final = 200


def slices(trials: pd.DataFrame, parameters: Sequence[Parameter], target: str) -> pd.DataFrame:
    """Every complete trial seen along every parameter, one row for each pair.

    Columns: ``number, parameter, value, unit`` (place between the bounds), and the target.
    """
    done = usable(trials, target, 1, "slices")
    places = unit_columns(done, parameters)
    parts = [
        pd.DataFrame(
            {
                "number": done["number"],
                "parameter": parameter.name,
                "value": done[f"params.{parameter.name}"].astype(object),
                "unit": places[parameter.name],
                target: done[target].astype(float),
            }
        )
        for parameter in parameters
    ]
    return pd.concat(parts, ignore_index=True).dropna(subset=["unit"]).reset_index(drop=True)


def contours(
    trials: pd.DataFrame,
    pair: tuple[Parameter, Parameter],
    parameters: Sequence[Parameter],
    target: str,
    cells: int = 25,
) -> pd.DataFrame:
    """What a model of all trials expects over two parameters, the others averaged over where the trials were.

    The model is a forest of extremely randomized trees; the average over the others is its partial dependence.

    Columns: two by the names of the parameters, ``expected``, ``trials`` (how many lie in the cell: where there are
    none, the expectation is a guess).

    Literature: Geurts, Ernst and Wehenkel (2006), "Extremely randomized trees"; Friedman (2001), "Greedy function
    approximation".

    Raises:
        UserError: fewer than 10 complete trials have the target, or both parameters are the same.
    """
    first, second = pair
    if first.name == second.name:
        raise UserError(f"contours: found {first.name!r} twice; two different parameters are needed")
    done = usable(trials, target, _LEAST, "contours")
    points = unit_points(done, parameters)
    names = [parameter.name for parameter in parameters]
    i, j = names.index(first.name), names.index(second.name)
    model = surrogate(points, done[target].to_numpy(dtype=np.float64))
    places = (np.arange(cells) + 0.5) / cells
    a, b = (grid.ravel() for grid in np.meshgrid(places, places, indexing="ij"))
    background = points if len(points) <= 50 else points[np.linspace(0, len(points) - 1, 50).astype(int)]
    total = np.zeros(cells * cells)
    for row in background:
        everywhere = np.repeat(row[None, :], len(a), axis=0)
        everywhere[:, i], everywhere[:, j] = a, b
        total += model.predict(everywhere)
    counts, _, _ = np.histogram2d(points[:, i], points[:, j], bins=cells, range=[[0, 1], [0, 1]])
    return pd.DataFrame(
        {
            first.name: [from_unit(place, first) for place in a],
            second.name: [from_unit(place, second) for place in b],
            "expected": total / len(background),
            "trials": counts.ravel().astype(int),
        }
    )


def parallel_coordinates(
    trials: pd.DataFrame, parameters: Sequence[Parameter], target: str, *, maximize: bool = False
) -> pd.DataFrame:
    """Every complete trial as a line over all parameters, best first.

    Columns: ``number``, the target, its ``quantile`` among all (0 is best), and every parameter in unit coordinates.

    Args:
        trials: a table of trials.
        parameters: searched parameters.
        target: a column.
        maximize: whether more of the target is better, see ``optimize.analysis.unit.upwards``.

    Raises:
        UserError: no complete trial has the target.
    """
    done = usable(trials, target, 1, "parallel coordinates")
    places = pd.Series(costs_of(done, target, maximize=maximize), index=done.index).rank(pct=True)
    table = pd.DataFrame(
        {"number": done["number"], target: done[target].astype(float), "quantile": places - 1 / len(done)}
    )
    ordered = table.join(unit_columns(done, parameters)).sort_values([target, "number"], ascending=[not maximize, True])
    return ordered.reset_index(drop=True)


def surrogate(points: Floats, values: Floats, seed: int = 0) -> ExtraTreesRegressor:
    """A model of the target over the unit cube, trained on trials."""
    from sklearn.ensemble import ExtraTreesRegressor

    return ExtraTreesRegressor(n_estimators=_TREES, min_samples_leaf=2, random_state=seed).fit(points, values)

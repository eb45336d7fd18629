"""Draws fresh_seeds.csv: each setting's runs from the worst to the best, one panel per model.

python examples/spiral_robust/picture.py docs/images/spiral_robust.png
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from eiann.plots import style

TITLES = {
    "dale_backprop": "Backprop under Dale's law",
    "dendritic_target_propagation": "Dendritic target propagation",
}
FOUND = {"dale_backprop": "trial 131", "dendritic_target_propagation": "trial 197"}


@style.styled
def picture(runs: pd.DataFrame) -> Figure:
    """Held-out accuracy of fresh seeds, sorted, published settings beside found ones."""
    figure = style.new_figure(7.2, 2.9)
    panels = style.grid(figure, len(TITLES), len(TITLES), sharey=True)
    for axes, (model, title) in zip(panels, TITLES.items(), strict=True):
        of_model = runs[runs["model"] == model]
        for settings, color in (("published", style.NEUTRAL), (FOUND[model], style.EXCITATORY)):
            accuracy = of_model.loc[of_model["settings"] == settings, "held_out_accuracy"].sort_values()
            label = f"{'published' if settings == 'published' else 'found here'}: mean {accuracy.mean():.1f} %"
            axes.plot(range(1, len(accuracy) + 1), accuracy, "o-", color=color, markersize=3, linewidth=1, label=label)
        axes.set_title(title)
        axes.set_xlabel("run of a fresh seed, from the worst to the best")
        axes.set_ylim(50, 100)
        axes.legend(loc="lower right")
    panels[0].set_ylabel("accuracy on held-out points (%)")
    return figure


if __name__ == "__main__":
    table = pd.read_csv(Path(__file__).with_name("fresh_seeds.csv"))
    picture(table).savefig(sys.argv[1], dpi=200)

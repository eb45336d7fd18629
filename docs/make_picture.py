"""Makes the picture of the README: what a network that a study exported answers in the plane, and how it learned.

    python docs/make_picture.py studies/demo/best/best.yaml docs/images/demo.png [STEPS]

Trains five replicas of the network on the spiral data, on seeds of their own.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

import eiann
from eiann import plots

SEEDS = range(100, 105)
GAP = 24  # pixels between the two panels


def main(network_file: str, picture: str, steps: str = "5600") -> None:
    network = eiann.Network.from_yaml(network_file, seeds=list(SEEDS))
    data = eiann.data.load("spiral")
    history = eiann.train(
        network,
        data.train,
        data_seeds=[seed + 1000 for seed in SEEDS],
        steps=int(steps),
        validation=data.validation,
        val_interval=(0, -1, 100),
    )
    answers = plots.decision_map(lambda inputs: eiann.predict(network, inputs), data.test, replicas=[0, 1])
    curves = plots.learning_curves(history, chance=100 / data.train.classes)
    side_by_side([render(answers), render(curves)]).save(picture, optimize=True)
    accuracy = eiann.evaluate(network, data.test).accuracy
    print(f"{picture}: test accuracy {', '.join(f'{value:.1f} %' for value in accuracy.tolist())}")


def render(figure: Figure) -> Image.Image:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=160, facecolor="white")
    return Image.open(file).convert("RGB")


def side_by_side(panels: list[Image.Image]) -> Image.Image:
    height = max(panel.height for panel in panels)
    width = sum(panel.width for panel in panels) + GAP * (len(panels) - 1)
    whole = Image.new("RGB", (width, height), "white")
    left = 0
    for panel in panels:
        whole.paste(panel, (left, (height - panel.height) // 2))
        left += panel.width + GAP
    return whole


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(Path(__file__).read_text(encoding="utf-8").split('"""')[1])
    main(*sys.argv[1:])

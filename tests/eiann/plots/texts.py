"""Where the words of a figure stand, for tests of legibility."""

from itertools import combinations

from matplotlib.axis import Axis, Tick
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox


def drawn_texts(figure: Figure) -> list[tuple[str, Bbox]]:
    """All words that are seen in a figure, with the rectangle in pixels that each takes."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    unseen = _labels_of_ticks_outside(figure)
    texts = [text for text in figure.findobj(Text) if text.get_text().strip() and text not in unseen]
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in texts if text.get_visible()]
    return [(word, box) for word, box in boxes if box.width]


def _labels_of_ticks_outside(figure: Figure) -> set[Text]:
    """Axes keep ticks beyond their limits, and those of axes that are switched off, whose labels are not drawn."""
    axes = [(axis, panel.axison) for panel in figure.axes for axis in (panel.xaxis, panel.yaxis)]
    labels = {label for axis, _ in axes for tick in _all_ticks(axis) for label in (tick.label1, tick.label2)}
    seen = [tick for axis, shown in axes if shown for tick in axis._update_ticks()]
    return labels - {label for tick in seen for label in (tick.label1, tick.label2)}


def _all_ticks(axis: Axis) -> list[Tick]:
    return [*axis.get_major_ticks(), *axis.get_minor_ticks()]


def overlaps(figure: Figure, ignore: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """Pairs of words that overlap."""
    found = []
    for (one, first), (other, second) in combinations(drawn_texts(figure), 2):
        shared = Bbox.intersection(first, second)
        if shared is not None and shared.width > 1 and shared.height > 1 and one not in ignore and other not in ignore:
            found.append((one, other))
    return found


def cut_off(figure: Figure) -> list[str]:
    """Words that stand partly outside of the figure."""
    width, height = figure.bbox.width, figure.bbox.height
    return [
        word
        for word, box in drawn_texts(figure)
        if box.x0 < -1 or box.y0 < -1 or box.x1 > width + 1 or box.y1 > height + 1
    ]

"""From material to ``report.html``: one file that needs nothing else, not even a network."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import jinja2
import pandas as pd

from eiann.errors import UserError
from optimize.files import write_text
from optimize.objective.aggregate import feature_labels
from optimize.report.best_run import trained_best
from optimize.report.charts import charts
from optimize.report.figures import write_figures
from optimize.report.findings import findings
from optimize.report.landscape import moves
from optimize.report.material import BestRun, Material
from optimize.study import Study
from optimize.training_run import PLOTS

REPORT: Final = "report.html"
FIGURES: Final = "figures"

_PICTURES: Final = {
    "architecture": (
        "Architecture",
        "Excitatory populations are orange, inhibitory ones blue; thick lines are learned, with their rule's letter.",
    ),
    "decision_map": (
        "Decisions",
        "The answer in every place of the plane; samples with a dark rim are wrong.",
    ),
    "confusion": ("Confusion", "Of each class, which answers its samples got."),
    "dynamics": ("Dynamics", "Activity over the steps of one forward phase, averaged over samples; red: not settled."),
    "similarity": ("Representations", "Cosine similarity of the activity for pairs of samples, sorted by class."),
    "receptive_fields": (
        "Receptive fields",
        "What excitatory units answer to, the most active ones of each population.",
    ),
}


@dataclass(frozen=True)
class Written:
    """What a report consists of.

    Attributes:
        page: the HTML file.
        figures: PNG files; each has a PDF beside it.
        warnings: how many findings are serious or cautions.
    """

    page: Path
    figures: tuple[Path, ...]
    warnings: int


def write_report(study: Study, *, network: bool = True, progress: Callable[[int, int], None] | None = None) -> Written:
    """Write ``report.html`` and ``figures/`` into the study's folder.

    Args:
        study: with at least one complete trial within the constraints of its space.
        network: train the best network again for its curves and pictures; what was trained is kept.
        progress: told (steps done, steps in all) of that.

    Raises:
        UserError: no trial is complete, or none satisfies the constraints.
    """
    run, notes = _best_run(study, progress) if network else (None, ())
    material = Material.of(study, best_run=run, notes=notes)
    folder = study.folder.path
    figures = write_figures(material, folder / FIGURES)
    write_text(folder / REPORT, render(material), sync=False)
    serious = [finding for finding in findings(material) if finding.level != "good"]
    return Written(folder / REPORT, tuple(figures), len(serious))


def render(material: Material) -> str:
    """The page as text."""
    from plotly.offline import get_plotlyjs

    drawn = charts(material)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("optimize.report", "."), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["number"] = number
    specs = [chart.spec() for section in drawn.values() for chart in section]
    return environment.get_template("report.html.j2").render(
        m=material,
        spec=material.study.spec,
        sections=drawn,
        findings=findings(material),
        headline=_headline(material),
        facts=_facts(material),
        top=_top(material),
        champions=_champions(material),
        fresh=_fresh(material),
        best_parameters=_best_parameters(material),
        moves=moves(material),
        pictures=_pictures(material.best_run),
        plotly=get_plotlyjs(),
        # Inside of a script nothing may look like its end.
        specs=json.dumps(specs, allow_nan=False).replace("</", "<\\/"),
    )


def number(value: Any) -> str:
    """A value as a reader wants it: four digits that matter."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e4 else f"{value:.3g}"
    return str(value)


def _best_run(study: Study, progress: Callable[[int, int], None] | None) -> tuple[BestRun | None, tuple[str, ...]]:
    best = study.best(1, next(iter(study.spec.evaluation.objectives)))
    if best.empty:
        return None, ()
    try:
        return trained_best(study, int(best.iloc[0]["number"]), progress), ()
    except UserError as error:
        return None, (f"It could not be trained again, so its curves and pictures are missing: {error}.",)


def _headline(material: Material) -> list[dict[str, str]]:
    """The figures at the top."""
    name = material.objectives[0]
    label = feature_labels(material.study.spec.evaluation)[name].replace("_", " ")
    unit = " %" if name == "accuracy" else ""
    value = material.best[f"features.{name}"]
    seeds = len(material.study.spec.search_space.instances)
    under = f"trial {int(material.best['number'])}, {seeds} seed{'s' if seeds > 1 else ''}"
    ranking = material.ranking
    own = None if ranking is None else ranking[ranking["number"] == material.best["number"]]
    if unit and own is not None and len(own) and seeds > 1:
        row = own.iloc[0]
        # The interval is the mean's: where another number stands above it, the mean is said too.
        mean = "" if material.aggregate == "mean" else f"mean {row['mean']:.1f}, "
        under += f", {mean}{row['low']:.1f} to {row['high']:.1f}"
    tiles = [
        {
            "label": f"{label} of the best trial, as selected",
            "value": f"{number(round(value, 2))}{unit}",
            "under": under,
        }
    ]
    fresh = material.fresh
    if fresh is None:
        tiles.append({"label": "on fresh seeds", "value": "not measured", "under": "see the first warning"})
    else:
        row = fresh.sort_values("held_out_accuracy", ascending=False).iloc[0]
        tiles.append(
            {
                "label": "best mean on fresh seeds, held-out data",
                "value": f"{row['held_out_accuracy']:.1f} %",
                "under": f"trial {int(row['number'])}, {int(row['instances'])} seeds, "
                f"{row['low']:.1f} to {row['high']:.1f}, {100 * row['failed_share']:.0f} % failed",
            }
        )
    ended = material.trials["state"].value_counts()
    failed = int(ended.get("FAIL", 0))
    tiles.append(
        {
            "label": "trials",
            "value": str(len(material.complete)),
            "under": f"complete of {material.study.budget}; {failed} failed",
        }
    )
    if len(material.objectives) > 1:
        under = f"trials, of {len(material.objectives)} objectives"
        tiles.append({"label": "Pareto front", "value": str(len(material.front)), "under": under})
    return tiles


def _facts(material: Material) -> list[tuple[str, str]]:
    spec = material.study.spec
    space = spec.search_space
    run = space.run
    seconds = float(material.trials["seconds"].sum())
    facts = [
        ("Search space", f"{space.name}: {space.document.title}" if space.document.title else space.name),
        ("Learning rule", space.document.rule or "–"),
        ("Data", space.data.name + "".join(f", {key} {value}" for key, value in space.data.options.items())),
        (
            "Objectives",
            ", ".join(f"{o.direction} {o.aggregate} {o.name.replace('_', ' ')}" for o in space.objectives),
        ),
        ("Parameters", f"{len(space.searched)} searched, {len(space.fixed)} fixed"),
        (
            "One evaluation",
            f"{len(space.instances)} seeds × {run.steps * run.epochs:,} training steps".replace(",", " "),
        ),
        ("Sampler", spec.sampler.name + "".join(f", {key} {value}" for key, value in spec.sampler.options.items())),
        ("Time", _duration(seconds) + " of computation, " + _duration(_wall(material.trials)) + " from first to last"),
        ("Arithmetic", f"{spec.dtype} on {spec.resources.device}"),
        ("Study", f"{spec.name}, seed {spec.seed}, created {spec.created:%d %B %Y %H:%M} UTC"),
        ("Program", f"eiann {spec.versions.get('eiann', '?')}, commit {(spec.git or 'unknown')[:12]}"),
    ]
    if space.document.figure:
        facts.insert(1, ("Published in", space.document.figure))
    return facts


def _wall(trials: pd.DataFrame) -> float:
    span = trials["finished"].max() - trials["started"].min()
    return 0.0 if pd.isna(span) else float(span.total_seconds())


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def _top(material: Material) -> dict[str, Any]:
    labels = feature_labels(material.study.spec.evaluation)
    features = list(labels)
    columns = ["trial", *(label.replace("_", " ") for label in labels.values()), "seeds"]
    rows = [
        [int(row["number"]), *(float(row[f"features.{name}"]) for name in features), int(row["instances_ok"])]
        for _, row in material.top.iterrows()
    ]
    return {"columns": columns, "rows": rows}


def _champions(material: Material) -> list[tuple[str, int]]:
    table = material.champions
    words = {f"best {name}": f"best {name.replace('_', ' ')}" for name in material.objectives}
    found = [(words[row["role"]], int(row["number"])) for _, row in table.iterrows() if row["role"] in words]
    balanced = table[table["role"] == "rank"].iloc[0]
    return [("best balance of all", int(balanced["number"])), *found]


def _fresh(material: Material) -> dict[str, Any] | None:
    table = material.fresh
    if table is None:
        return None
    names = {
        "number": "trial",
        "own_mean": "own seeds, mean (%)",
        "held_out_accuracy": "fresh, mean (%)",
        "low": "low",
        "high": "high",
        "median": "median",
        "own_worst": "own seeds, worst",
        "worst": "fresh, worst",
        "instances": "seeds",
        "failed_share": "failed share",
    }
    shown = {column: head for column, head in names.items() if column in table.columns}
    rows = [
        [int(row[c]) if c in ("number", "instances") else float(row[c]) for c in shown] for _, row in table.iterrows()
    ]
    return {"columns": list(shown.values()), "rows": rows}


def _best_parameters(material: Material) -> list[dict[str, Any]]:
    places = material.places.iloc[0]
    rows = []
    for parameter in material.parameters:
        value = material.best[f"params.{parameter.name}"]
        if pd.isna(value):
            continue
        place = float(places[parameter.name])
        rows.append(
            {
                "name": parameter.name,
                "value": value,
                "range": parameter.describe(),
                "place": round(100 * place, 1),
                "about": parameter.about,
            }
        )
    return rows


def _pictures(run: BestRun | None) -> list[dict[str, str]]:
    if run is None:
        return []
    found = []
    for name, (title, caption) in _PICTURES.items():
        path = run.folder / PLOTS / f"{name}.png"
        if path.is_file():
            data = base64.b64encode(path.read_bytes()).decode()
            found.append({"name": name, "title": title, "caption": caption, "data": f"data:image/png;base64,{data}"})
    return found

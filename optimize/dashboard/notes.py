"""Notes, in Markdown: what the dashboard says of a study and of a trial beyond Optuna's own numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from optuna.trial import FrozenTrial

from optimize.objective import EvaluationSettings
from optimize.study import Study
from optimize.study.ledger import RESULT


def study_note(study: Study, trials: Sequence[FrozenTrial], links: Mapping[str, str]) -> str:
    """What the study is, how far it is, and where to look further."""
    spec = study.spec
    space = spec.search_space
    states = Counter(trial.state.name for trial in trials)
    counted = ", ".join(f"{count} {state.lower()}" for state, count in sorted(states.items()))
    what = (
        f"{space.document.title or space.name}: {len(space.searched)} parameters of `{space.name}`, "
        f"{len(space.instances)} seeds per trial on {space.data.name}, by {spec.sampler.name}."
    )
    lines = [
        f"## {spec.name}",
        what,
        f"Trials: {counted or 'none yet'}; budget {study.budget}. All objectives are minimized.",
        "This page changes nothing: trials are proposed and recorded by `eiann optimize` and `eiann resume` only.",
        *(f"* {name}: {url}" for name, url in links.items()),
    ]
    return "\n\n".join(lines)


def trial_note(trial: FrozenTrial, settings: EvaluationSettings) -> str:
    """The instances of a trial as a table, and why it failed."""
    result = trial.user_attrs.get(RESULT, {})
    names = settings.measured
    head = ["instance", "network seed", "data seed", *names, "failure"]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for position, instance in enumerate(result.get("instances", ())):
        values = [_text(instance.get("features", {}).get(name)) for name in names]
        failure = str(instance.get("failure", "")).replace("|", "/")
        cells = [str(position), str(instance["network_seed"]), str(instance["data_seed"]), *values, failure]
        lines.append("| " + " | ".join(cells) + " |")
    before = [f"Failed: {result['failure']}", ""] if "failure" in result else []
    again = f"Again: `eiann replay STUDY {trial.number}`"
    return "\n".join([*before, *lines, "", again])


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"

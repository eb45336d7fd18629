"""``eiann check``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from cluster import Profile
    from optimize.export import NetworkFile
    from optimize.space import SearchSpace


def add_to(app: typer.Typer) -> None:
    """Register the commands of this file."""
    app.command(epilog="Example: eiann check network.yaml")(check)


def check(
    file: Annotated[str, typer.Argument(help="A network, search space or cluster profile; or a space's name.")],
) -> None:
    """Validate a file and print what it would build."""
    from eiann.config.compact.document import KEYS as COMPACT_KEYS
    from eiann.config.reading import NESTED_KEYS
    from eiann.config.yaml_source import load_yaml
    from optimize.cli.show import console
    from optimize.space import SearchSpace

    out = console()
    path = Path(file)
    if not path.exists() and path.suffix not in (".yaml", ".yml"):
        _show_space(SearchSpace.load(file), out)
        return
    raw, _ = load_yaml(path)
    keys = raw.keys() if isinstance(raw, dict) else set()
    if "kind" in keys:
        import cluster

        _show_profile(cluster.load_profile(path), path, out)
    elif "parameters" in keys or ("extends" in keys and not {*COMPACT_KEYS, *NESTED_KEYS} & keys):
        _show_space(SearchSpace.load(path), out)
    else:
        from optimize.export import NetworkFile

        _show_network(NetworkFile.read(path), path, out)


def _show_profile(profile: Profile, path: Path, out: Console) -> None:
    from optimize.cli.show import grid

    given = profile.model_dump(mode="json", exclude_unset=True, exclude={"kind", "environment"})
    rows = [(key, _lines(value)) for key, value in given.items()]
    rows += [("environment", name) for name in profile.environment]  # names only: values may be passwords
    out.print(f"cluster profile of kind {profile.kind}: {path}", markup=False)
    if rows:
        out.print(grid(("key", "value"), rows))
    studies = profile.remote_studies
    if studies is not None and (refusal := profile.place.refusal(profile.storage, studies)):
        out.print(f"it needs a storage: {refusal}", markup=False)
    if profile.kind != "here":
        out.print(f"see what would be sent: eiann submit SPACE --to {path} --dry-run", markup=False)


def _lines(value: object) -> object:
    """Lists and mappings a line for each of their values."""
    if isinstance(value, dict):
        return "\n".join(f"{key}: {part}" for key, part in value.items())
    return "\n".join(map(str, value)) if isinstance(value, list) else value


def _show_space(space: SearchSpace, out: Console) -> None:
    from eiann.data import MissingDataError, option_names
    from optimize.cli.show import grid
    from optimize.plan import Plan

    option_names(space.data.name)  # a data set that does not exist is refused; it is not loaded
    out.print(f"search space {space.name}: {space.document.title}", markup=False)
    rows = []
    targets: dict[str, list[str]] = {}
    for binding in space.bindings():
        written = binding.target if binding.formula == binding.parameter else f"{binding.target} = {binding.formula}"
        targets.setdefault(binding.parameter, []).append(written)
    for parameter in space.parameters:
        given = f"= {parameter.fixed}" if parameter.fixed is not None else parameter.describe()
        rows.append((parameter.name, given, "\n".join(targets.get(parameter.name, []))))
    out.print(grid(("parameter", "range", "sets"), rows))
    run = space.run
    out.print(
        f"data {space.data.name}, {run.steps} steps x {run.epochs} epochs, validation at {list(run.val_interval)}\n"
        f"objectives: {', '.join(f'{o.direction} {o.aggregate} {o.name}' for o in space.objectives)}\n"
        f"instances: {len(space.instances)}, first seeds {list(space.instances[0])}\n"
        f"points: {', '.join(space.starting_points) or 'none'}",
        markup=False,
    )
    try:
        Plan.make(space).check(local=False)
    except MissingDataError as missing:
        out.print(f"not tried: {missing}", markup=False)


def _show_network(file: NetworkFile, path: Path, out: Console) -> None:
    import eiann

    network = eiann.Network(file.network, seeds=[0])
    weights = sum(value[0].numel() for value in network.state_dict().values())
    out.print(f"network {path}: {weights} numbers", markup=False)
    out.print(network.describe(), markup=False)
    if file.run is not None:
        out.print(f"run: data {file.run.data.name}, {file.run.steps} steps, {len(file.run.seeds)} seeds", markup=False)
    if file.provenance is not None:
        found = file.provenance
        out.print(f"from study {found.study}, trial {found.trial}: {found.features}", markup=False)

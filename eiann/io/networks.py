"""A network as a folder: its configuration, its tensors, and, if given, the history of its training."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from eiann import files
from eiann.config import NetworkConfig
from eiann.config.yaml_source import load_yaml
from eiann.errors import ConfigError, UserError
from eiann.io.histories import write_history
from eiann.io.state import network_tensors, restore_network
from eiann.io.tensors import dtype_name, dtype_named, read_tensors, write_tensors

if TYPE_CHECKING:
    from eiann.network.network import Network
    from eiann.training.history import History

KIND = "saved network"
WEIGHTS, CONFIG, HISTORY = "weights.safetensors", "network.yaml", "history.json"


def save(network: Network, path: str | Path, history: History | None = None, *, overwrite: bool = False) -> None:
    """Write a network to a folder, which appears whole or not at all.

    The folder holds ``network.yaml`` (``network-1.yaml`` and so on for further configurations of the replicas),
    ``weights.safetensors`` with all parameters under the names of the reference model, masks, thresholds, traces,
    what optimizers remember and the random generators, and ``history.json``.

    Args:
        network: R replicas.
        path: a folder that is not there, or is empty.
        history: what ``eiann.train`` returned.
        overwrite: replace a folder in which a network was saved before.

    Raises:
        UserError: there is something else in the folder, or it cannot be written.

    Example:
        >>> eiann.save(network, "runs/first", history)  # doctest: +SKIP
        >>> again = eiann.load("runs/first")  # doctest: +SKIP
    """
    path = Path(path)
    if path.resolve() == Path.cwd():
        raise UserError(f"{path}: found the folder that this process is in; name one below it")
    check_free(path, overwrite=overwrite)
    try:
        with files.replacing_folder(path) as folder:
            write_network(network, folder)
            if history is not None:
                write_history(history, folder / HISTORY)
    except OSError as error:
        raise UserError(f"{path}: the folder cannot be written: {error.strerror or error}") from None


def load(path: str | Path, device: str | torch.device = "cpu") -> Network:
    """The network of a folder that ``eiann.save`` or ``eiann train --out`` wrote.

    It goes on training to the same bits as the network that was saved.

    Args:
        path: the folder.
        device: where its parameters are to live.

    Raises:
        UserError: a file is missing, damaged, or belongs to another network; one line names it.
    """
    from eiann.network.network import Network

    path = Path(path)
    if not path.is_dir():
        raise UserError(f"{path}: found no such folder; one that eiann.save wrote is needed")
    tensors, facts = read_tensors(path / WEIGHTS, KIND)
    try:
        seeds = [int(seed) for seed in facts["seeds"]]
        which = [int(number) for number in facts["configs"]]
        dtype = dtype_named(facts["dtype"])
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{path / WEIGHTS}: found a damaged header; a {KIND} is needed") from None
    configs = [_read_config(path / _config_name(number)) for number in range(max(which, default=0) + 1)]
    network = Network([configs[number] for number in which], seeds, dtype, device)
    try:
        restore_network(network, tensors)
    except UserError as error:
        raise UserError(f"{path / WEIGHTS}: {error}") from None
    return network


def write_network(network: Network, folder: Path) -> None:
    """Configurations and tensors into a folder that is there."""
    distinct: list[NetworkConfig] = []
    which = []
    for config in network.configs:
        if config not in distinct:
            distinct.append(config)
        which.append(distinct.index(config))
    for number, config in enumerate(distinct):
        try:
            config.to_yaml(folder / _config_name(number))
        except ConfigError:  # the compact form has no words for it
            config.to_yaml(folder / _config_name(number), form="nested")
    write_weights(network, folder, which)


def write_weights(network: Network, folder: Path, which: list[int] | None = None) -> None:
    """The tensors alone, into a folder whose configuration someone else writes."""
    facts: dict[str, Any] = {
        "seeds": list(network.seeds),
        "dtype": dtype_name(network.dtype),
        "configs": which or [0] * network.R,
        "versions": versions(),
    }
    write_tensors(folder / WEIGHTS, KIND, network_tensors(network), facts)


def versions() -> dict[str, str]:
    """Of what wrote a file."""
    found = {"torch": str(torch.__version__)}
    try:
        found["eiann"] = version("eiann")
    except PackageNotFoundError:  # used from a checkout
        found["eiann"] = "unknown"
    return found


def check_free(path: Path, *, overwrite: bool = False) -> None:
    """Whether a network can be written there.

    Raises:
        UserError: there is something in the folder.
    """
    if path.exists() and not path.is_dir():
        raise UserError(f"{path}: found a file; the name of a new folder is needed")
    if not path.exists() or not any(path.iterdir()):
        return
    if not (path / WEIGHTS).exists():
        raise UserError(f"{path}: found a folder with other things in it; the name of a new folder is needed")
    if not overwrite:
        raise UserError(f"{path}: found a saved network; give another folder, or overwrite=True")


def _config_name(number: int) -> str:
    return CONFIG if number == 0 else f"network-{number}.yaml"


def _read_config(path: Path) -> NetworkConfig:
    """A network file, plain or with the run that found it (``eiann best --export``)."""
    if not path.is_file():
        raise UserError(f"{path}: found no such file; it belongs to the saved network beside it")
    raw, _ = load_yaml(path)
    network = raw.get("network") if isinstance(raw, dict) else None
    if isinstance(network, dict):
        return NetworkConfig.from_dict(network)
    return NetworkConfig.from_yaml(path)

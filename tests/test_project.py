"""The habits that the repository keeps, each with the file that breaks it."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PACKAGES = ("eiann", "optimize", "search_spaces", "cluster")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

# A file over 400 lines is two rooms, unless its reason stands here.
LONGER_THAN_400: dict[str, str] = {}


@cache
def kept_files() -> tuple[str, ...]:
    """Every file that is, or is about to be, under version control."""
    if not (ROOT / ".git").exists():
        pytest.skip("needs a git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return tuple(name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file())


def texts(*suffixes: str) -> dict[str, str]:
    return {name: (ROOT / name).read_text(encoding="utf-8") for name in kept_files() if name.endswith(suffixes)}


# ------------------------------------------------------------------------------------------------------------- files


def test_no_file_is_longer_than_400_lines() -> None:
    long = {name for name, text in texts(".py", ".cpp", ".h", ".hpp").items() if text.count("\n") > 400}
    assert long == set(LONGER_THAN_400)


def test_no_file_names_a_folder_of_one_machine() -> None:
    folders = re.compile(r"(^|[^\w.])/(" + "|".join(["work", "root", "farm", r"home/\w+", r"Users/\w+"]) + r")/")
    found = [
        f"{name}:{number}: {line.strip()}"
        for name, text in texts(".py", ".md", ".yaml", ".toml", ".txt", ".sh", ".cpp", "Makefile", ".ci/run").items()
        for number, line in enumerate(text.splitlines(), 1)
        if folders.search(line)
    ]
    assert not found


def test_folders_of_tests_mirror_folders_of_packages() -> None:
    folders = {str(Path(name).parent.relative_to("tests")) for name in kept_files() if name.startswith("tests/")}
    strange = {
        folder for folder in folders if folder.startswith(PACKAGES) and not (ROOT / folder).is_dir() and folder != "."
    }
    assert not strange


def test_every_package_folder_with_code_says_what_it_is_for() -> None:
    folders = {Path(name).parent for name in kept_files() if name.startswith(PACKAGES) and name.endswith(".py")}
    silent = [str(folder) for folder in folders if not (ROOT / folder / "__init__.py").exists()]
    assert not silent


# ---------------------------------------------------------------------------------------------------- import contract


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            str(Path(sys.executable).parent / "lint-imports"),
            "--no-logo",
            "--no-cache",
            "--config",
            str(ROOT / "pyproject.toml"),
        ],
        cwd=folder,
        env={"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_import_contract_is_kept() -> None:
    answer = lint_imports(ROOT)
    assert answer.returncode == 0, answer.stdout


@pytest.mark.parametrize(
    ("file", "imports", "allowed"),
    [
        ("optimize/cli/submit.py", "cluster", True),
        ("optimize/cli/best.py", "optimize.study", True),
        ("optimize/study.py", "eiann", True),
        ("optimize/study.py", "search_spaces", True),
        ("optimize/study.py", "cluster", False),
        ("optimize/study.py", "optimize.cli", False),
        ("eiann/network.py", "optimize", False),
        ("eiann/network.py", "search_spaces", False),
        ("eiann/network.py", "cluster", False),
        ("eiann/network.py", "ray", False),
        ("eiann/network.py", "optuna", False),
        ("search_spaces/loader.py", "optimize", False),
        ("search_spaces/loader.py", "eiann", False),
        ("cluster/slurm.py", "eiann", False),
        ("cluster/slurm.py", "optimize", False),
        ("cluster/slurm.py", "torch", False),
    ],
)
def test_the_import_contract_bites(tmp_path: Path, file: str, imports: str, allowed: bool) -> None:
    for package in (*PACKAGES, "optimize/cli"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    (tmp_path / "optimize" / "study.py").touch()
    (tmp_path / file).write_text(f"import {imports}\n", encoding="utf-8")
    answer = lint_imports(tmp_path)
    assert answer.returncode == (0 if allowed else 1), answer.stdout + answer.stderr
    assert ("BROKEN" in answer.stdout) is not allowed, answer.stdout


# ------------------------------------------------------------------------------------------------------- requirements


def pins() -> dict[str, Requirement]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    requirements = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(requirement.name): requirement for requirement in requirements}


def wanted() -> list[Requirement]:
    extras = [text for extra in PROJECT["optional-dependencies"].values() for text in extra]
    return [Requirement(text) for text in [*PROJECT["dependencies"], *extras]]


def test_constraints_are_exact() -> None:
    loose = [str(pin) for pin in pins().values() if not re.fullmatch(r"==[\w.]+", str(pin.specifier))]
    assert not loose


@pytest.mark.parametrize("requirement", wanted(), ids=lambda requirement: requirement.name)
def test_each_requirement_is_pinned_within_its_range(requirement: Requirement) -> None:
    pin = pins()[canonicalize_name(requirement.name)]
    version = str(pin.specifier).removeprefix("==")
    assert requirement.specifier.contains(version)
    assert not str(requirement.specifier).startswith("=="), "pyproject.toml has ranges, constraints.txt has pins"


def test_everything_that_is_needed_is_pinned_and_installed_as_pinned() -> None:
    pinned, seen, queue = pins(), set(), [(requirement, "") for requirement in wanted()]
    wrong = []
    while queue:
        requirement, why = queue.pop()
        for extra in ("", *requirement.extras):
            name = canonicalize_name(requirement.name)
            if (name, extra) in seen or not _applies(requirement):
                continue
            seen.add((name, extra))
            try:
                found = distribution(name)
            except PackageNotFoundError:
                wrong.append(f"{name} (for {why}): not installed")
                continue
            if name not in pinned or not pinned[name].specifier.contains(found.version.split("+")[0]):
                wrong.append(f"{name}=={found.version} (for {why}): {pinned.get(name, 'no pin')}")
            queue += [(further, name) for further in _requirements(found, extra)]
    assert not wrong


def _applies(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate()


def _requirements(found: Distribution, extra: str) -> list[Requirement]:
    """What a distribution needs here, for one of its extras or (``""``) for itself."""
    needs = [Requirement(text) for text in found.requires or []]
    chosen = [need for need in needs if need.marker is None or need.marker.evaluate({"extra": extra})]
    for need in chosen:
        need.marker = None
    return chosen


# ----------------------------------------------------------------------------------------------------------- documents


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md", "docs"])
def test_links_and_pictures_of_the_documents_exist(name: str) -> None:
    link = re.compile(r"\]\((?!https?:)([^)#\s]+)")
    dead = [
        f"{document}: {target}"
        for document, text in texts(".md").items()
        if document.startswith(name)
        for target in link.findall(text)
        if not ((ROOT / document).parent / target).exists()
    ]
    assert not dead


def test_every_make_target_that_a_document_mentions_exists() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    mentioned = {target for text in texts(".md").values() for target in re.findall(r"`make ([\w-]+)", text)}
    assert {"demo", "test"} <= mentioned <= targets


def test_the_version_stands_in_the_changelog() -> None:
    assert f"## [{PROJECT['version']}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


# ------------------------------------------------------------------------------------------------------------ packages


@pytest.mark.long
def test_a_wheel_carries_every_file_of_the_packages(tmp_path: Path) -> None:
    source, wheels, site = tmp_path / "source", tmp_path / "wheels", tmp_path / "site"
    for name in kept_files():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run(
        [*pip, "wheel", "--no-build-isolation", "--no-deps", "--wheel-dir", str(wheels), str(source)], check=True
    )
    (wheel,) = wheels.glob("*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--target", str(site), str(wheel)], check=True)
    left_out = [name for name in kept_files() if name.startswith(PACKAGES) and not (site / name).exists()]
    assert not left_out

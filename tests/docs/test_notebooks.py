"""The notebooks run from the first cell to the last, and are those of their sources."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.docs.generated import ROOT, load

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the kernel's own packages
def test_a_notebook_runs(notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The kernel is this interpreter, whatever kernels the machine has, and nothing is written to the user's folders.
    kernels = tmp_path / "kernels" / "python3"
    kernels.mkdir(parents=True)
    command = f'"{sys.executable}", "-m", "ipykernel_launcher", "-f", "{{connection_file}}"'
    (kernels / "kernel.json").write_text(f'{{"argv": [{command}], "display_name": "Python", "language": "python"}}')
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    content = nbformat.read(notebook, as_version=4)
    NotebookClient(
        content, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    shown = [
        output for cell in content.cells for output in cell.get("outputs", ()) if "image/png" in output.get("data", {})
    ]
    assert shown, "no cell showed a figure"


def test_notebooks_are_those_of_their_sources_and_have_no_outputs() -> None:
    for path, content in load("make_notebooks").files().items():
        assert path.read_text(encoding="utf-8") == content, f"{path.name} is old; run: python docs/make_notebooks.py"
    assert NOTEBOOKS

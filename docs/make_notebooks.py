"""Write docs/notebooks/*.ipynb from the sources here: ``python docs/make_notebooks.py``.

A notebook is kept without outputs and is run by the tests. Its source is a Python file with ``# %%`` between cells, as
editors know them; ``# %% [markdown]`` begins a cell of text, and a line ``# %name`` or
``# !program`` is a command of the notebook.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

FOLDER = Path(__file__).parent / "notebooks"


def notebook(source: Path) -> str:
    """The notebook of a source file, as JSON."""
    cells = []
    parts = re.split(r"^# %%(.*)\n", source.read_text(encoding="utf-8"), flags=re.MULTILINE)
    for kind, text in zip(parts[1::2], parts[2::2], strict=True):
        if kind.strip() == "[markdown]":
            cell = new_markdown_cell(
                "\n".join(line.removeprefix("#").removeprefix(" ") for line in text.strip().splitlines())
            )
        else:
            text = re.sub(r"  # noqa.*$", "", text, flags=re.MULTILINE)
            cell = new_code_cell(re.sub(r"^# (?=%\w|!)", "", text.strip(), flags=re.MULTILINE))
        cell["id"] = f"cell-{len(cells)}"
        cells.append(cell)
    whole = new_notebook(cells=cells, metadata={"language_info": {"name": "python"}})
    nbformat.validate(whole)
    return str(nbformat.writes(whole)) + "\n"


def files() -> dict[Path, str]:
    """Paths and contents of all that is made."""
    return {source.with_suffix(".ipynb"): notebook(source) for source in sorted(FOLDER.glob("*.py"))}


if __name__ == "__main__":
    for path, content in files().items():
        path.write_text(content, encoding="utf-8")
        sys.stdout.write(f"{path}\n")

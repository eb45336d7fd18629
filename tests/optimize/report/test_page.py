"""The page, in a real browser: it asks for nothing, nothing goes wrong, nothing has to be scrolled sideways."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from optimize.cli.app import run
from optimize.report.best_run import trained_best
from optimize.report.material import Material
from optimize.report.page import REPORT, render
from optimize.results import write_table
from optimize.space import SearchSpace
from optimize.study import Resources, Study
from optimize.tune.inline import run_inline
from tests.optimize.conftest import MakeStudy, toy_document
from tests.optimize.report.test_findings import reevaluation

CHROMIUM = Path(os.environ.get("EIANN_CHROMIUM", "/usr/bin/chromium"))
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    """A small study of real networks with its report."""
    space = SearchSpace.from_dict(toy_document())
    studies = tmp_path_factory.mktemp("studies")
    study = Study.create(space, name="toy", studies=studies, trials=12, resources=Resources(pack=12))
    run_inline(study, packs=1)
    assert run(["report", str(study.folder.path)]) == 0
    yield study
    study.close()


@pytest.fixture
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    if not CHROMIUM.is_file():
        pytest.skip(f"needs Chromium at {CHROMIUM}, or at EIANN_CHROMIUM")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield opened
        opened.close()


def test_the_page_in_a_browser_at_two_widths_and_in_both_themes(reported: Study, browser: Any) -> None:
    address = (reported.folder.path / REPORT).absolute().as_uri()
    for width, theme in ((390, "light"), (390, "dark"), (1280, "light"), (1280, "dark")):
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=theme)
        said: list[str] = []
        asked: list[str] = []
        page.on("console", lambda message, said=said: said.append(message.text))
        page.on("pageerror", lambda error, said=said: said.append(str(error)))
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.goto(address)
        page.wait_for_function("document.documentElement.dataset.drawn")
        charts = int(page.evaluate("document.documentElement.dataset.drawn"))
        assert charts >= 6
        assert page.locator(".plot svg.main-svg").count() >= charts
        assert said == []
        assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.evaluate("[...document.images].every((image) => image.complete && image.naturalWidth > 100)")
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        brightness = int(re.findall(r"\d+", background)[0])
        assert (brightness < 60) == (theme == "dark")
        page.close()


def test_the_page_is_one_file_and_says_what_is_missing(reported: Study) -> None:
    text = (reported.folder.path / REPORT).read_text()
    assert "No measurement on fresh seeds" in text
    assert not re.findall(r"""<(?:img|link)[^>]+(?:src|href)=["'](?!data:)""", text.partition("<script>")[0])
    assert "best/trial-" in text
    figures = sorted(path.name for path in (reported.folder.path / "figures").iterdir())
    assert {
        "progress.png",
        "progress.pdf",
        "front.pdf",
        "places.png",
        "importance.pdf",
        "contour.png",
        "slopes.pdf",
    } <= set(figures)
    for path in (reported.folder.path / "figures").glob("*.png"):
        with Image.open(path) as image:
            assert max(image.size) > 1000


def test_the_best_network_is_trained_once(reported: Study) -> None:
    (folder,) = reported.folder.best.glob("trial-*")
    recorded = json.loads((folder / "history.json").read_text())
    assert len(recorded["loss"]) == len(reported.spec.search_space.instances)
    kept = (folder / "weights.safetensors").stat().st_mtime_ns
    again = trained_best(reported, int(folder.name.removeprefix("trial-")))
    assert again.history == recorded
    assert (folder / "weights.safetensors").stat().st_mtime_ns == kept


def test_fresh_seeds_stand_on_the_page(make_study: MakeStudy) -> None:
    study = make_study()
    run_inline(study)
    write_table(reevaluation(number=3), study.folder.tables / "reevaluation.parquet")
    text = render(Material.of(study, resamples=0))
    assert "88.0 %" in text
    assert "30 seeds, 86.0 to 90.0, 0 % failed" in text
    assert "Not measured" not in text


def test_text_of_users_cannot_end_a_script_or_become_markup(make_study: MakeStudy) -> None:
    study = make_study()
    run_inline(study)
    material = Material.of(study, resamples=0, notes=("</script><b>",))
    text = render(material)
    assert "&lt;/script&gt;&lt;b&gt;" in text
    assert "</script><b>" not in text


def test_a_report_without_networks_says_so(make_study: MakeStudy, capsys: pytest.CaptureFixture[str]) -> None:
    study = make_study(trials=4)  # the stub trainer has no networks
    run_inline(study)
    assert run(["report", str(study.folder.path)]) == 0
    text = (study.folder.path / REPORT).read_text()
    assert "could not be trained again" in text
    assert run(["report", str(study.folder.path), "--no-network"]) == 0
    assert "could not be trained again" not in (study.folder.path / REPORT).read_text()

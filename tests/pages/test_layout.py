"""The pages as a browser lays them out: on phone and desk, on paper, light and dark."""

import dataclasses
import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from etils import epath

from busjax.data.audit import audit_page
from busjax.data.audit.run import audit
from busjax.data.readers.phantom import PhantomSource
from busjax.evaluation import study
from busjax.evaluation.compare import comparison_page
from busjax.evaluation.report.run_page import write_report
from busjax.evaluation.unseen import tested, unseen_page
from busjax.inference import NOTE, predictions_page
from tests.evaluation.test_report import write_history, write_run
from tests.evaluation.test_unseen import ROWS

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
WIDTHS = (420, 768, 900, 1400)
PAPER = 718, 1046  # pixels of an A4 sheet within the browser's margins
PAGES = ("run", "comparison", "predictions", "audit", "unseen")

pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="needs Chromium (Debian: apt install chromium)"
)


def make_run(folder):
    folder.mkdir()
    write_run(folder, [0, 1, 2] * 3, source="busi")
    write_history(folder, [(1, 1.0), (2, 0.9), (3, 0.7)])
    return folder


def comparison(runs, out):
    studies = [study.read(run) for run in runs]
    labels = comparison_page.names(studies)
    tables = comparison_page.all_tables(labels, studies, [])
    return comparison_page.html(labels, studies, tables, epath.Path(out))


def predictions():
    origin = {"source": "busi", "description": "BUSI: 780 images"}
    model = {"trained_on": origin, "name": "unetpp", "step": 12}
    facts = {"model": model, "note": NOTE, "complete": False}
    lesion = {"longest_diameter_mm": 12.25, "shortest_diameter_mm": 8.0}
    entries = [
        {"name": name, "class": "malignant", "lesions": [lesion] * 5, "abstain": name != "a",
         "abstain_reasons": ["its mask is less sure than 98% of the validation images"],
         "views": [{"left": 5, "top": 4, "right": 60, "bottom": 40}],
         "probabilities": {"benign": 0.1, "malignant": 0.88, "normal": 0.02}}
        for name in ("a", "a_very_long_name_of_a_file_without_a_single_space_in_it_0001")
    ]  # fmt: skip
    pixels = np.random.default_rng(0).integers(256, size=(48, 64), dtype=np.uint8)
    cases = [
        predictions_page.case(index, entry, pixels, pixels / 255, {"mask": "masks/a.png"})
        for index, entry in enumerate(entries)
    ]
    unreadable = [{"file": "/some/where/broken.png", "reason": "it is no image"}]
    return predictions_page.page(facts, entries, cases, unreadable)


def audited():
    source = PhantomSource(4, 0, 128)
    records = [source[index] for index in (0, 0, 1, 2)]
    found = audit([dataclasses.replace(each, id=f"image {i}") for i, each in enumerate(records)])
    assert found.groups
    return audit_page.page(found, [("broken.png", "it is no image")], "audit.json")


def unseen():
    of_one = tested.Tested(
        "unet_with_a_long_name", "BUSI: 780 images", "BUSBRA", ROWS, ["GE Logiq 7"] * len(ROWS),
        12, 0.5, False, True,
    )  # fmt: skip
    others = [dataclasses.replace(of_one, tested=name, scanners=[""] * 6) for name in "abcdef"]
    return unseen_page.page([of_one, *others])


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """What `layout.js` finds on every page, at every width, in print and in the dark."""
    folder = tmp_path_factory.mktemp("layout")
    runs = [make_run(folder / name) for name in ("first", "second")]
    contents = {
        "run": write_report(runs[0]).read_bytes(),
        "comparison": comparison(runs, folder / "comparison.html"),
        "predictions": predictions(),
        "audit": audited(),
        "unseen": unseen(),
    }
    frames = []
    for page, content in contents.items():
        for width, medium in (
            *((width, "") for width in WIDTHS),
            (PAPER[0], "print"),
            (900, "dark"),
        ):
            name = f"{page} {medium or width}"
            source = html.escape(content.decode())
            frames.append(
                f'<iframe name="{name}" data-medium="{medium}" srcdoc="{source}" '
                f'style="border:0;width:{width}px;height:1200px"></iframe>'
            )
    script = (Path(__file__).parent / "layout.js").read_text()
    wrapper = folder / "wrapper.html"
    wrapper.write_text(f"<!doctype html>{''.join(frames)}<script>{script}{_MEASURE}</script>")
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
               f"--user-data-dir={folder / 'browser'}", wrapper.as_uri()]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True)
    (found,) = re.findall(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)
    return json.loads(html.unescape(found))


_MEASURE = """
addEventListener("load", () => {
  const found = {};
  for (const frame of document.querySelectorAll("iframe")) {
    const inside = frame.contentDocument;
    if (frame.dataset.medium) apply(inside, frame.dataset.medium);
    const pair = inside.querySelector(".pair");
    found[frame.name] = {
      broken: brokenWords(inside), overflow: overflow(inside), faint: faintTexts(inside),
      pair: pair ? pair.getBoundingClientRect().bottom : null,
      ground: getComputedStyle(inside.body).backgroundColor,
    };
  }
  found.list = useList(document.querySelector("iframe").contentDocument);
  const result = document.createElement("pre");
  result.id = "found";
  result.textContent = JSON.stringify(found);
  document.body.replaceChildren(result);
});
"""


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("shown", [*WIDTHS, "print", "dark"])
def test_nothing_is_broken_cut_or_faint(measured, page, shown):
    found = measured[f"{page} {shown}"]
    assert found["broken"] == []
    assert found["overflow"] == []
    assert found["faint"] == []


def test_the_first_sheet_is_full(measured):
    """Scores, the table by class, the chart of Dice and the confusion matrix."""
    assert PAPER[1] / 2 < measured["run print"]["pair"] < PAPER[1]


def test_the_dark_is_dark(measured):
    levels = {name: sum(map(int, re.findall(r"\d+", measured[f"run {name}"]["ground"])))
              for name in ("dark", 900)}  # fmt: skip
    assert levels["dark"] < 100 < 600 < levels[900]


def test_a_list_is_sorted_and_filtered(measured):
    found = measured["list"]
    assert found["ascending"] == sorted(found["ascending"])
    assert found["descending"] == found["ascending"][::-1] != found["ascending"]
    assert found["sorted"] == "Dice"
    assert found["searched"] == ["case4"]
    assert found["count"] == "1 of 9 rows"
    assert found["chosen"] == ["normal"] * 3

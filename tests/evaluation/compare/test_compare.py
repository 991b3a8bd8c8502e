"""Comparisons: numbers computed by hand, the page, and what is wrong told in a line."""

import dataclasses
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from etils import epath
from PIL import Image

from busjax.errors import UserError
from busjax.evaluation import scores, study
from busjax.evaluation.compare import charts, comparison_page, paired, picture, published, tables
from busjax.evaluation.compare.__main__ import main
from busjax.runs import results

HEAD = "name,source,protocol,dice_average,dice_average_sd"


@pytest.fixture(scope="module")
def folders(write_fold, write_folds, tmp_path_factory):
    """Two cross-validations on the same images, and a run on some of them."""
    root = tmp_path_factory.mktemp("compare")
    write_folds(root / "a")
    for index, (seed, ids) in enumerate(
        ((7, 9 * ["0"]), (8, 6 * ["1"]), (9, 9 * ["2"])),
    ):
        named = [f"{name}-{i}" for i, name in enumerate(ids)]
        write_fold(root / "b" / f"fold_{index}", seed, ids=named, name="unetpp")
    write_fold(root / "c", 11, ids=["0-0", "0-1", "0-2"], name="<i>run</i>")
    return root


@pytest.fixture(scope="module")
def studies(folders):
    return [study.read(folders / name) for name in "abc"]


def test_differences_are_those_of_the_same_images(studies):
    a, b, c = studies
    found = paired.difference(b, a)
    assert found.n_images == 24
    both = [results.summary_from_rows(one.rows) for one in (b, a)]
    for name, (value, low, high) in found.scores.items():
        assert value == pytest.approx(both[0][name] - both[1][name]), name
        assert low <= high
    few = paired.difference(c, a)
    assert few.n_images == 3
    first = {row.id: row.dice for row in a.rows}
    wanted = np.mean([row.dice - first[row.id] for row in c.rows])
    assert few.scores["dice_average"][0] == pytest.approx(wanted)


def test_a_network_does_not_differ_from_itself(studies):
    found = paired.difference(studies[0], studies[0])
    assert set(found.scores["dice_average"]) == {0.0}


def test_pairing_narrows_the_interval(studies):
    """The same scores but for a shift: the difference is certain, the scores are not."""
    a = studies[0]
    fold = a.folds[0]
    shifted = [dataclasses.replace(row, dice=row.dice / 2 + 0.25) for row in fold.rows]
    low, high = paired.difference(
        dataclasses.replace(a, folds=(dataclasses.replace(fold, rows=shifted),)), a
    ).scores["dice_average"][1:]
    alone = scores.summarise(dataclasses.replace(a, folds=(fold,)))["interval"]["dice_average"]
    assert high - low < 0.6 * (alone[1] - alone[0])


def test_no_image_in_common(studies, write_fold, tmp_path):
    write_fold(tmp_path, 3)
    other = study.read(tmp_path)
    assert paired.difference(other, studies[0]) == paired.Difference(0, {})
    shown = comparison_page.all_tables(["a", "other"], [studies[0], other], [])
    assert shown[-1].rows[0][1][1] == (tables.UNDEFINED, "")


def test_another_class_in_the_other_study(studies):
    a = studies[0]
    rows = [dataclasses.replace(row, class_name="normal") for row in a.folds[0].rows]
    other = dataclasses.replace(a, folds=(dataclasses.replace(a.folds[0], rows=rows),))
    with pytest.raises(UserError, match=r"'0-0' is normal in .* and benign in"):
        paired.difference(other, a)


def test_the_tables_hold_the_scores(studies):
    others = [published.Published("They", "Paper 2025", "5 folds", {"accuracy": 0.802}, {})]
    shown = comparison_page.all_tables(["a", "b", "c"], studies, others)
    pooled, over_folds, more, minus = shown
    place = more.head.index("ECE") - 1
    assert more.rows[0][1][place][0] == f"{results.summary_from_rows(studies[0].rows)['ece']:.3f}"
    column = [*tables.COLUMNS].index("accuracy") + 1
    scores = results.summary_from_rows(studies[1].rows)
    assert pooled.rows[1][1][column][0] == f"{scores['accuracy']:.3f}"
    by_fold = [results.summary_from_rows(f.rows)["accuracy"] for f in studies[1].folds]
    assert over_folds.rows[1][1][column] == (
        f"{np.mean(by_fold):.3f}",
        f"± {np.std(by_fold, ddof=1):.3f}",
    )
    assert over_folds.rows[2][1][column][1] == ""  # one split has no spread
    assert over_folds.rows[3] == (
        "They",
        [("published: Paper 2025", "5 folds")]
        + [("0.802" if key == "accuracy" else "–", "") for key in tables.COLUMNS.values()],  # noqa: RUF001
    )
    assert over_folds.marked == {3}
    assert [name for name, _ in minus.rows] == ["b", "c"]
    assert minus.title == "Minus a"


def test_curves_are_means_over_folds_and_may_be_missing(studies, write_folds, tmp_path):
    a = studies[0]
    assert charts.mean_by_epoch(study.histories(a), "accuracy") == ([], [])
    write_folds(tmp_path)
    for index, values in enumerate(([0.2, 0.4, 0.9], [0.4, 0.8], [0.6, None])):
        lines = [
            json.dumps({"epoch": epoch, "validation": {"accuracy": value}})
            for epoch, value in enumerate(values, 1)
        ]
        (tmp_path / f"fold_{index}" / "history.jsonl").write_text("\n".join(lines))
    histories = study.histories(study.read(tmp_path))
    epochs, means = charts.mean_by_epoch(histories, "accuracy")
    assert epochs == [1, 2]  # one fold alone has a third
    assert means[0] == pytest.approx(0.4)
    assert np.isnan(means[1])


def test_the_command_draws_the_curves(folders, tmp_path, capsys):
    out = tmp_path / "curves.png"
    assert main([str(folders / "a"), str(folders / "b"), f"--curves={out}"]) == 0
    assert capsys.readouterr().out == f"{out}\n"  # and no tables
    drawn = np.asarray(Image.open(out).convert("L"))
    assert (drawn == 255).any()
    assert (drawn < 128).any()


def test_predicted_classes_are_counted(studies):
    a = studies[0]
    (table,) = comparison_page.all_tables(["a"], [a], [], ["confusion"])
    counts = [int(text) for text, _ in table.rows[0][1]]
    assert sum(counts) == len(a.rows)
    place = table.head.index("benign, called malignant") - 1
    wrong = [row for row in a.rows if (row.class_name, row.predicted) == ("benign", "malignant")]
    assert counts[place] == len(wrong) > 0


def test_the_command_writes_page_tables_and_picture(folders, tmp_path, capsys):
    (tmp_path / "p.csv").write_text(f"{HEAD}\nThey,Paper,5 folds,0.751,0.018\n")
    out = tmp_path / "new" / "page.html"
    arguments = [str(folders / name) for name in "abc"]
    arguments += [f"--out={out}", f"--published={tmp_path / 'p.csv'}"]
    assert main([*arguments, f"--picture={tmp_path / 'p.png'}"]) == 0
    html, text = out.read_text(), out.with_suffix(".md").read_text()
    assert html.count('class="theirs"') == 1
    assert "0.751" in html
    assert "± 0.018" in text
    assert "&lt;i&gt;run" in html
    assert "<i>run" not in html
    assert html.count("data:image/svg") == 3 + 3  # Dice of a class, calibration of a study
    assert "http" not in html.replace("http://www.w3.org", "")
    links = [link for link in re.findall(r'href="([^"]*)"', html) if link != "page.md"]
    assert len(links) == 3 + 3 + 1  # images.csv of every fold
    for link in links:
        assert (out.parent / link).is_file()
    assert len(Image.open(tmp_path / "p.png").getbbox()) == 4
    capsys.readouterr()
    assert main(arguments[:2]) == 0
    assert "### Minus unet" in capsys.readouterr().out
    assert main([*arguments[:2], "--tables=more,images"]) == 0
    titles = re.findall("### (.*)", capsys.readouterr().out)
    assert titles == ["More measures", "All test images"]
    with pytest.raises(SystemExit):
        main([*arguments[:2], "--tables=image"])


def test_two_of_one_name_are_told_apart(studies):
    twice = [studies[0], dataclasses.replace(studies[0], folder="other")]
    assert comparison_page.names([*twice, studies[1]]) == ["unet (a)", "unet (other)", "unetpp"]
    alike = [dataclasses.replace(studies[0], folder=f"{where}/a") for where in "xy"]
    assert comparison_page.names(alike) == ["unet (x/a)", "unet (y/a)"]


def test_phantoms_are_told(write_fold, tmp_path, studies):
    write_fold(tmp_path, facts={"source": "phantom"})
    phantom = study.read(tmp_path)
    shown = comparison_page.all_tables(["p"], [phantom], [])
    page = comparison_page.html(["p"], [phantom], shown, epath.Path(tmp_path / "page.html"))
    assert b"These are not BUSI" in page
    both = comparison_page.markdown([phantom, studies[0]], [])
    assert both.startswith("**Some of these were tested on synthetic phantoms.**")
    assert "phantom" not in comparison_page.markdown(studies, [])


def test_the_picture_shows_typical_or_given_cases(studies, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        picture, "_draw_line", lambda axes, rows, panels: drawn.append((rows, panels))
    )
    picture.draw(["a", "b"], studies[:2])
    assert [rows[0].class_name for rows, _ in drawn] == ["benign", "malignant", "normal"]
    dice = {row.id: row.dice for row in studies[0].rows}
    other = {row.id: row.dice for row in studies[1].rows}
    sums = [dice[row.id] + other[row.id] for row in studies[0].rows if row.class_name == "benign"]
    id = drawn[0][0][0].id
    assert dice[id] + other[id] == sorted(sums)[len(sums) // 2]
    drawn.clear()
    picture.draw(["a", "b"], studies[:2], ["2-4", "0-1"])
    assert [rows[1].id for rows, _ in drawn] == ["2-4", "0-1"]
    with pytest.raises(UserError, match="'2-4' was not tested by all"):
        picture.draw(["a", "c"], [studies[0], studies[2]], ["2-4"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,source\nA,B\n", "its first line must name the columns name, source, protocol"),
        (f"{HEAD},dise\nA,B,C,1,1,1\n", "'dise' is none of them"),
        (f"{HEAD}\nA,B,C,75.1,\n", r"line 2: dice_average is '75\.1', not a number in \[0, 1\]"),
        (f"{HEAD}\nA,B,C,0.7,0.1\nA,B,C,high,\n", "line 3: dice_average is 'high'"),
        (f"{HEAD}\nA,B,C,nan,\n", "is 'nan'"),
        (f"{HEAD}\nA,B,C\n", "line 2: it has not as many cells"),
        (f"{HEAD}\nA,B,C,0.1,0.1,0.1\n", "line 2: it has not as many cells"),
        ("", "its first line must name"),
    ],
)
def test_a_broken_list_of_published_scores(tmp_path, text, message):
    path = tmp_path / "p.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        published.read(path)


def test_published_scores_of_the_docs(pytestconfig):
    found = published.read(pytestconfig.rootpath / "docs" / "results" / "published.csv")
    assert found[-1].scores["dice_average"] == 0.751
    assert found[-1].sd == {
        "dice_average": 0.018, "dice_benign": 0.05, "dice_malignant": 0.057, "dice_normal": 0.157,
        "accuracy": 0.018, "f1_weighted": 0.026,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gone"], "gone is not a folder"),
        (["a", "a"], "a folder is given twice"),
        (["a", "--published=gone.csv"], "gone.csv' cannot be read"),
        (["a", "--folds=7"], "holds no fold_7"),
        (["a", "--picture=x.png", "--cases=nobody"], "'nobody' was not tested by all"),
    ],
)
def test_one_clear_line(folders, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(folders)
    assert main(arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("busjax: ")
    assert message in line


def test_it_needs_no_jax():
    code = (
        "import sys; import busjax.evaluation.compare.__main__; "
        "sys.exit(any(name in sys.modules for name in ('jax', 'flax', 'grain')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_evaluations_of_one_run_beside_each_other(write_fold, tmp_path, capsys, monkeypatch):
    write_fold(tmp_path / "run")
    shutil.copytree(tmp_path / "run" / "evaluation", tmp_path / "run" / "evaluation_flips")
    monkeypatch.chdir(tmp_path)
    assert main(["run", "run@flips"]) == 0
    assert "| unet flips | 9 in common | +0.000 [+0.000, +0.000]" in capsys.readouterr().out
    assert main(["run", "run@gone"]) == 1
    assert "images.csv is missing; evaluate the run first" in capsys.readouterr().err

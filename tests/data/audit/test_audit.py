"""A folder is audited from the command line: groups, objections, page, a second run."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from busjax.benchmark import audit as benchmark
from busjax.data.audit import groups, objections, pairs
from busjax.data.audit.__main__ import main
from busjax.data.audit.overrides import Overrides


@pytest.fixture(scope="module")
def audited(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("audit") / "new" / "audit.json"
    assert main([f"--dir={folder}", f"--out={out}"]) == 0
    return out


def test_groups_and_their_representatives(audited):
    found = json.loads(audited.read_text())
    assert [group["members"] for group in found["groups"]] == [
        ["benign (1)", "benign (7)"],
        ["benign (2)", "malignant (7)"],
    ]
    first, second = found["groups"]
    assert (first["representative"], first["why"]) == ("benign (1)", "most pixels")
    assert (second["representative"], second["why"]) == ("benign (2)", "fewest objections")
    assert first["pairs"][0]["inliers"] >= found["rule"]["inliers"]
    assert len(found["images"]) == 20


def test_objections(audited):
    found = json.loads(audited.read_text())
    by_kind = {objection["kind"]: objection for objection in found["objections"]}
    assert by_kind["two classes"]["ids"] == ["benign (2)", "malignant (7)"]
    assert by_kind["masks disagree"]["ids"] == ["benign (2)", "malignant (7)"]
    assert ["malignant (7)"] in [o["ids"] for o in found["objections"] if o["kind"] == "burned in"]
    assert "benign (1)" not in {id for o in found["objections"] for id in o["ids"]}
    ((file, reason),) = found["unusable"]
    assert file == "normal/normal (99).png"
    assert "cannot be decoded" in reason


def test_the_page_shows_each_group(audited):
    page = audited.with_suffix(".html").read_text()
    assert page.count("<h2>Group") == 2
    assert page.count("<img ") == 4
    assert "kept: fewest objections" in page
    assert "normal/normal (99).png" in page
    assert "http" not in page


def test_a_second_run_respects_a_person(folder, tmp_path, capsys):
    decided = tmp_path / "o.csv"
    decided.write_text(
        "action,one,other\npart,benign (1),benign (7)\njoin,normal (1),normal (2)\n"
        "drop,benign (2),\n"
    )
    out = tmp_path / "audit.json"
    assert main([f"--dir={folder}", f"--out={out}", f"--overrides={decided}"]) == 0
    found = json.loads(out.read_text())
    assert [group["members"] for group in found["groups"]] == [["normal (1)", "normal (2)"]]
    assert found["overrides"]["dropped"] == ["benign (2)"]
    assert "20 images; 2 of them in 1 groups" in capsys.readouterr().out


def test_the_images_of_a_table(folder, tmp_path):
    """The same folder, listed: one copy under another name."""
    lines = ["picture,outline,class"]
    for name in ("benign (1)", "benign (3)", "benign (7)"):
        lines.append(f"benign/{name}.png,benign/{name}_mask.png,B")
    shutil.copytree(folder, tmp_path / "clinic")
    (tmp_path / "clinic" / "list.csv").write_text("\n".join(lines))
    out = tmp_path / "audit.json"
    described = ["--file=list.csv", "--image={picture}", "--mask={outline}", "--label=class"]
    where = [f"--dir={tmp_path / 'clinic'}", f"--out={out}"]
    assert main([*where, *described, "--labels=B=benign"]) == 0
    (group,) = json.loads(out.read_text())["groups"]
    assert group["members"] == ["benign/benign (1).png", "benign/benign (7).png"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dir=gone"], "'gone' does not exist"),
        (["--file=gone.csv"], "the table '"),
        (["--overrides=gone.csv"], "the overrides 'gone.csv' cannot be read"),
    ],
)
def test_one_clear_line(folder, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert main([f"--dir={folder}", "--out=a.json", *arguments]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("busjax: ")
    assert message in line
    assert not list(tmp_path.iterdir())


def test_what_is_wrong_with_an_image(phantoms):
    record = next(record for record in phantoms if record.mask.any())

    def kinds(**changed):
        changed = type(record)(**{**vars(record), **changed})
        return [objection.kind for objection in objections.of_image(changed, coloured=False)]

    assert kinds() == []
    tiny, cut = np.zeros_like(record.mask), np.zeros_like(record.mask)
    tiny[100:104, 100:104] = 1
    assert kinds(mask=tiny) == ["tiny mask"]
    cut[:60, 40:100] = 1
    assert kinds(mask=cut) == ["mask at the border"]
    (found,) = objections.of_image(type(record)(**{**vars(record), "mask": cut}), False)
    assert found.detail == "top"
    assert [o.kind for o in objections.of_image(record, coloured=True)] == ["colour"]


def test_colour():
    grey = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
    assert not objections.has_colour(grey)
    grey[:2, :2, 0] += 100
    assert objections.has_colour(grey)


def test_figures_against_the_lists():
    letter = {"a": "a", "b": "a", "c": "a", "d": "d", "e": "e", "f": "f"}
    found = benchmark.measure(
        letter, {"a": 0, "b": 0, "d": 1, "e": 1}, [("a", "b"), ("d", "e")], letter, {"d", "f"}
    )
    assert (found.listed, found.listed_found) == (3, 1)
    assert (found.dropped, found.dropped_found) == (4, 3)  # c is in no group
    assert found.disputed == (("d", "e"),)
    assert "1 supported by no list: d and e" in str(found)
    one, two = benchmark.halves(letter)
    assert (one, two) == (["a", "b", "c", "e"], ["d", "f"])


def test_masks_of_a_mirrored_copy_are_compared_mirrored(phantoms):
    record = next(record for record in phantoms if record.mask.any())
    turned = dataclasses.replace(
        record, id="turned", image=record.image[:, ::-1].copy(), mask=record.mask[:, ::-1].copy()
    )
    found = pairs.find([record.image, turned.image])
    joined = groups.join(["a", "b"], found, Overrides())
    assert found[0].mirrored
    assert objections.of_groups([record, turned], joined) == []
    moved = dataclasses.replace(turned, mask=np.roll(turned.mask, 40, axis=1))
    (objection,) = objections.of_groups([record, moved], joined)
    assert objection.kind == "masks disagree"

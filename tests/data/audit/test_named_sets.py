"""`config.data.curation` and `groups` take an audit: made once, or from a file."""

import json
import shutil

import numpy as np
import pytest

from busjax.config import Data, Table
from busjax.data import splits
from busjax.data.audit import cache
from busjax.data.sources import open_source
from busjax.errors import UserError


@pytest.fixture
def place(folder, tmp_path, monkeypatch):
    """A copy of the folder, and an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    shutil.copytree(folder, tmp_path / "busi")
    (tmp_path / "busi" / "normal" / "normal (99).png").unlink()
    return tmp_path


def opened(place, **fields):
    return open_source(Data(dir="busi", **fields), place)


def test_one_image_a_group_is_kept_and_none_of_two_classes(place, capsys):
    source = opened(place, curation="audit")
    assert "benign (7)" not in source.ids  # a copy of (1)
    assert "benign (1)" in source.ids
    assert not {"benign (2)", "malignant (7)"} & set(source.ids)  # one image, two classes
    assert len(source) == 20 - 3
    assert source.description == "BUSI: 17 images (5 benign, 6 malignant, 6 normal)"
    assert "once" in capsys.readouterr().out


def test_its_groups_alone(place):
    source = opened(place, groups="audit")
    assert len(source) == 20
    group_of = dict(zip(source.ids, source.groups, strict=True))
    assert group_of["benign (7)"] == group_of["benign (1)"]
    assert group_of["malignant (7)"] == group_of["benign (2)"]
    assert len(set(source.groups)) == 18
    split = splits.draw_split(source.ids, source.labels, source.groups, 0.2, 0.2, 0)
    splits.check(split, source.ids, source.groups)


def test_it_is_made_once_until_a_file_changes(place, monkeypatch, capsys):
    opened(place, curation="audit")

    def never(*_):
        raise AssertionError

    with monkeypatch.context() as patched:
        patched.setattr(cache, "audit", never)
        opened(place, groups="audit")
    capsys.readouterr()
    path = place / "busi" / "benign" / "benign (7).png"
    path.write_bytes((place / "busi" / "benign" / "benign (3).png").read_bytes())
    shutil.copy(
        place / "busi" / "benign" / "benign (3)_mask.png",
        place / "busi" / "benign" / "benign (7)_mask.png",
    )
    source = opened(place, groups="audit")
    assert "once" in capsys.readouterr().out
    group_of = dict(zip(source.ids, source.groups, strict=True))
    assert group_of["benign (7)"] == group_of["benign (3)"] != group_of["benign (1)"]


def test_a_file_with_a_persons_decisions(place):
    decided = place / "o.csv"
    decided.write_text("action,one,other\npart,benign (1),benign (7)\ndrop,normal (1),\n")
    cache.make(place / "busi", place / "mine.json", decided)
    source = opened(place, curation="mine.json")
    assert {"benign (1)", "benign (7)"} <= set(source.ids)
    assert "normal (1)" not in source.ids
    assert len(source) == 17


def test_the_audit_of_another_folder(place):
    cache.make(place / "busi", place / "mine.json")
    shutil.copy(
        place / "busi" / "normal" / "normal (1).png", place / "busi" / "normal" / "normal (50).png"
    )
    with pytest.raises(UserError, match=r"lacks 1 of the folder's, such as 'normal \(50\)'"):
        opened(place, curation="mine.json")
    (place / "busi" / "normal" / "normal (50).png").unlink()
    (place / "busi" / "normal" / "normal (1).png").unlink()
    with pytest.raises(UserError, match=r"names images that the BUSI folder lacks"):
        opened(place, curation="mine.json")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"images": {"a": "benign"}, "groups": [{"members": ["a"]}]}']
)
def test_what_is_no_audit(place, text):
    (place / "mine.json").write_text(text)
    with pytest.raises(UserError, match=r"mine\.json' is no audit"):
        opened(place, curation="mine.json")


def test_an_unusable_file_is_known_to_the_audit(place):
    (place / "busi" / "normal" / "normal (1).png").write_text("no image")
    cache.make(place / "busi", place / "mine.json")
    found = json.loads((place / "mine.json").read_text())
    assert found["unusable"][0][0] == "normal/normal (1).png"
    assert len(opened(place, curation="mine.json", on_bad="skip")) == 16


def test_labels_are_those_of_the_ids(place):
    source = opened(place, curation="audit")
    names = np.array(["benign", "malignant", "normal"])[source.labels]
    assert [id.split()[0] for id in source.ids] == names.tolist()


def test_a_table_and_an_audit_of_it(place):
    """benign (7) is a copy of (1); (3) is of its case, (2) of no one's."""
    lines = ["image,mask,label,case"]
    for number, case in ((1, "a"), (2, "b"), (3, "c"), (7, "c")):
        name = f"benign/benign ({number})"
        lines.append(f"{name}.png,{name}_mask.png,benign,{case}")
    (place / "busi" / "images.csv").write_text("\n".join(lines))
    data = Data(source="table", dir="busi", table=Table(group="case"))
    assert len(set(open_source(data, place).groups)) == 3
    one, two, three, copy = open_source(data.but(groups="audit"), place).groups
    assert one == three == copy != two
    source = open_source(data.but(groups="audit", curation="audit"), place)
    assert source.ids == tuple(f"benign/benign ({number}).png" for number in (1, 2, 3))
    assert source.groups[0] == source.groups[2] != source.groups[1]
    assert source[2].id == source.ids[2]
    assert source[2].group == source.groups[2]
    assert source.description.endswith("1 of them left out by the audit")

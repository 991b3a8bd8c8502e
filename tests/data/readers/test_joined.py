"""Several folders as one set: BUSI and a table together, told apart in every result."""

import numpy as np
import pytest
from etils import epath
from PIL import Image

from busjax.config import Data, Table
from busjax.data import splits
from busjax.data.readers.phantom import PhantomSource
from busjax.data.sources import open_source
from busjax.errors import UserError
from busjax.runs import results


@pytest.fixture
def place(tmp_path):
    """Twelve phantoms in BUSI's layout, and eight lesions that a table lists, two of each case."""
    source = PhantomSource(36, 7, 32)
    records = [source[index] for index in range(36)]
    numbers = dict.fromkeys(("benign", "malignant", "normal"), 0)
    for record in records[:12]:
        name = ("benign", "malignant", "normal")[record.label]
        numbers[name] += 1
        stem = tmp_path / "one" / name / f"{name} ({numbers[name]})"
        stem.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(record.image).save(f"{stem}.png")
        if name != "normal":
            Image.fromarray(record.mask * 255).save(f"{stem}_mask.png")
    lines = ["image,mask,label,case"]
    (tmp_path / "two").mkdir()
    for index, record in enumerate([r for r in records[12:] if r.mask.any()][:8]):
        Image.fromarray(record.image).save(tmp_path / "two" / f"{index}.png")
        Image.fromarray(record.mask * 255).save(tmp_path / "two" / f"{index}_m.png")
        lines.append(
            f"{index}.png,{index}_m.png,{('benign', 'malignant')[record.label]},{index // 2}"
        )
    (tmp_path / "two" / "images.csv").write_text("\n".join(lines))
    return tmp_path


def opened(place, **fields):
    data = Data(**{"dir": "one,two", "table": Table(group="case"), **fields})
    return open_source(data, place)


def test_ids_and_groups_tell_the_set(place):
    source = opened(place)
    assert len(source) == len(source.ids) == len(set(source.ids)) == 20
    assert source.name == "busi+table"
    assert source.ids[0] == source.groups[0] == "one/benign (1)"
    assert source.ids[12:14] == ("two/0.png", "two/1.png")
    assert source.groups[12:15] == ("two/0", "two/0", "two/1")
    assert source.sets == ("one",) * 12 + ("two",) * 8
    assert source.description == (
        "one: BUSI: 12 images (4 benign, 4 malignant, 4 normal); "
        f"two: {open_source(_table(), place / 'two').description.removeprefix('two: ')}"
    )
    alone = open_source(_table(), place / "two")
    for index in range(8):
        np.testing.assert_array_equal(source[12 + index].image, alone[index].image)
        assert source[12 + index].id == source.ids[12 + index]
        assert source.labels[12 + index] == source[12 + index].label
    assert source[-1].id == "two/7.png"
    with pytest.raises(IndexError):
        source[20]
    splits.check(
        splits.draw_split(source.ids, source.labels, source.groups, 0.2, 0.2, 0),
        source.ids,
        source.groups,
    )


def _table():
    return Data(source="table", dir="../two", table=Table(group="case"))


def test_a_folder_under_two_names_is_refused(place):
    (place / "alias").symlink_to("one")
    for given in ("one,alias", "one,two,./one/../alias", "one,one/"):
        with pytest.raises(UserError, match=r"names (one folder twice|two folders)"):
            opened(place, dir=given)


def test_a_comma_in_the_name_of_a_folder(place):
    """It parts two folders only where no folder has that name."""
    (place / "two").rename(place / "two,old")
    assert len(opened(place, dir="two,old", source="table")) == 8
    for given in ("one,two,old", "two,old,one"):
        source = opened(place, dir=given)
        assert sorted(set(source.sets)) == ["one", "two,old"]
    (place / "one").rename(place / "on,e")
    assert len(opened(place, dir="two,old,on,e")) == 20
    assert len(opened(place, dir="on,e")) == 12


def test_a_list_is_for_the_busi_folder(place):
    (place / "kept.csv").write_text("class;id\nbenign;1\nnormal;2\n")
    source = opened(place, curation="kept.csv")
    assert source.ids[:3] == ("one/benign (1)", "one/normal (2)", "two/0.png")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"dir": "one,one"}, "two folders 'one'"),
        ({"dir": "one,"}, "has an empty part"),
        ({"dir": "one,gone"}, "config.data.dir: '.*gone' does not exist"),
        ({"dir": "one,two", "source": "busi"}, "two' is no BUSI folder"),
    ],
)
def test_what_is_wrong_is_told(place, fields, message):
    with pytest.raises(UserError, match=message):
        opened(place, **fields)


def test_every_result_tells_the_set(place, config, monkeypatch, train):
    monkeypatch.chdir(place)
    config = config.but(
        data={
            "source": "auto",
            "dir": "one,two",
            "test_fraction": 0.4,
            "table": {"group": "case"},
        },
        train={"batch_size": 4, "epochs": 1},
    )
    folder = epath.Path(place / "run")
    folder.mkdir()
    train(config, folder)
    rows = results.read_rows(folder)
    assert {row.set for row in rows} == {"one", "two"}
    assert all(row.id.startswith(f"{row.set}/") for row in rows)
    by_set = results.scores_by_set(rows)
    assert sum(scores["n_images"] for scores in by_set.values()) == len(rows)
    page = (folder / "report.html").read_text()
    assert "<h2>By set</h2>" in page
    assert f"<td>{by_set['two']['dice_average']:.3f}</td>" in page

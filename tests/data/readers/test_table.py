"""A folder whose images a CSV lists, as BUS-BRA's; what is wrong is told, with its line or file."""

import shutil

import numpy as np
import pytest
from etils import epath
from PIL import Image

from busjax import run
from busjax.config import Data, Table
from busjax.data import splits
from busjax.data.readers.phantom import PhantomSource
from busjax.data.sources import open_source
from busjax.errors import UserError
from busjax.runs import configuration, results

BUS_BRA = {
    "source": "table",
    "table": {
        "file": "bus_data.csv",
        "image": "Images/{ID}.png",
        "mask": "Masks/{ID|bus_|mask_}.png",
        "label": "Pathology",
        "group": "Case",
    },
}


PLAIN = {
    "table.file": "list.csv",
    "table.image": "{image}",
    "table.mask": "{mask}",
    "table.label": "label",
    "table.group": "",
}


def write_bus_bra(root, count=12):
    """Benign and malignant images, two views of each case; no normal ones."""
    source = PhantomSource(2 * count, 5, 32)
    lesions = [source[index] for index in range(2 * count) if source[index].mask.any()][:count]
    (root / "Images").mkdir(parents=True)
    (root / "Masks").mkdir()
    lines = ["ID,Case,Pathology,BIRADS"]
    for index, record in enumerate(lesions):
        name = f"{index // 2:04d}-{'lr'[index % 2]}"
        Image.fromarray(record.image).save(root / "Images" / f"bus_{name}.png")
        Image.fromarray(record.mask * 255).save(root / "Masks" / f"mask_{name}.png")
        lines.append(f"bus_{name},{index // 2},{('benign', 'malignant')[record.label]},3")
    (root / "bus_data.csv").write_text("\n".join(lines) + "\n")
    return lesions


def opened(place, **fields):
    prefix = "table."
    inner = {k.removeprefix(prefix): v for k, v in fields.items() if k.startswith(prefix)}
    outer = {k: v for k, v in fields.items() if not k.startswith(prefix)}
    table = Table(**{**BUS_BRA["table"], **inner})
    return open_source(Data(**{"source": "table", "dir": "set", **outer, "table": table}), place)


@pytest.fixture
def place(tmp_path):
    write_bus_bra(tmp_path / "set")
    return tmp_path


def test_bus_bra(tmp_path):
    lesions = write_bus_bra(tmp_path / "set")
    source = opened(tmp_path)
    assert len(source) == 12
    assert source.ids[1] == "Images/bus_0000-r.png"
    assert source.groups[:4] == ("0", "0", "1", "1")
    for index, record in enumerate(lesions):
        np.testing.assert_array_equal(source[index].image, record.image)
        np.testing.assert_array_equal(source[index].mask, record.mask)
        assert source.labels[index] == source[index].label == record.label
    assert source.description.startswith("set: 12 images (")
    assert source.description.endswith(", 0 normal) in 6 groups")
    split = splits.draw_split(source.ids, source.labels, source.groups, 0.3, 0.3, 0)
    splits.check(split, source.ids, source.groups)


def test_labels_of_a_clinic(place):
    """BOM, CRLF, semicolons, spaces, labels of its own, a normal image without a mask."""
    Image.new("L", (40, 30), 50).save(place / "set" / "n ü.png")
    content = (
        "image;mask;label\r\nImages/bus_0000-l.png; Masks/mask_0000-l.png;B\r\nn ü.png;;0\r\n\r\n"
    )
    (place / "set" / "list.csv").write_bytes(b"\xef\xbb\xbf" + content.encode())
    fields = {
        "table.file": "list.csv",
        "table.delimiter": ";",
        "table.image": "{image}",
        "table.mask": "{mask}",
        "table.label": "label",
        "table.labels": "B=benign,M=malignant,0=normal",
        "table.group": "",
    }
    source = opened(place, **fields)
    assert source.labels.tolist() == [0, 2]
    assert source.ids == source.groups == ("Images/bus_0000-l.png", "n ü.png")
    assert source[1].image.shape == (30, 40)
    assert not source[1].mask.any()


def break_table(text):
    return lambda root: (root / "bus_data.csv").write_text(text)


HEAD = "ID,Case,Pathology\n"


@pytest.mark.parametrize(
    ("spoil", "fields", "message"),
    [
        (lambda root: (root / "bus_data.csv").unlink(), {}, "the table '.*' cannot be read"),
        (break_table(""), {}, "must have a line of different column names"),
        (break_table("ID,ID\na,b\n"), {}, "must have a line of different column names"),
        (break_table("ID,Case\na,b\n"), {}, "has no column 'Pathology': it has Case, ID"),
        (break_table(HEAD + "bus_0000-l,0\n"), {}, "line 2 has 2 cells, the first line has 3"),
        (
            break_table(HEAD + "bus_0000-l,0,cyst\n"),
            {},
            "line 2: the label 'cyst' is none of benign",
        ),
        (break_table(HEAD + 2 * "bus_0000-l,0,benign\n"), {}, "line 3: .* is listed twice"),
        (break_table(HEAD + "bus_9,0,benign\n"), {}, "Images/bus_9.png: it is missing"),
        (break_table(HEAD + "../../x,0,benign\n"), {}, "line 2: .* lies outside of the folder"),
        (lambda root: None, {"table.labels": "B=boring"}, "expected LABEL=CLASS"),
        (lambda root: None, {"table.mask": ""}, "Images/bus_0000-l.png: its mask is missing"),
        (lambda root: None, {"curation": "x.csv"}, "lists made by hand are for the BUSI folder"),
        (lambda root: None, {"dir": ""}, "needs config.data.dir"),
        (
            lambda root: (root / "Images" / "bus_0001-l.png").write_bytes(b"no image"),
            {},
            "Images/bus_0001-l.png: cannot be decoded",
        ),
        (
            lambda root: Image.new("L", (9, 9), 255).save(root / "Masks" / "mask_0001-l.png"),
            {},
            "Masks/mask_0001-l.png: the mask is 9x9, its image 32x32",
        ),
        (
            lambda root: Image.new("L", (32, 32), 0).save(root / "Masks" / "mask_0001-l.png"),
            {},
            "Images/bus_0001-l.png: its mask is empty",
        ),
    ],
)
def test_what_is_wrong_is_told(place, spoil, fields, message):
    spoil(place / "set")
    with pytest.raises(UserError, match=message):
        opened(place, **fields)


def test_the_lines_of_an_image_are_one_with_all_its_lesions(place):
    lesion = opened(place)[0]
    one, two = np.zeros((2, 32, 32), np.uint8)
    one[2:9, 2:9] = two[20:25, 20:25] = 255
    for name, mask in (("one", one), ("two", two)):
        Image.fromarray(mask).save(place / "set" / f"{name}.png")
    (place / "set" / "Images" / "again.png").symlink_to("bus_0000-l.png")
    rows = ("Images/bus_0000-l.png,one.png", "./Images/../Images/bus_0000-l.png,two.png")
    for more in ((), ("Images\\bus_0000-l.png,Masks\\mask_0000-l.png",)):
        lines = "".join(f"{row},benign\n" for row in (*rows, *more))
        (place / "set" / "list.csv").write_text("image,mask,label\n" + lines)
        source = opened(place, **PLAIN)
        assert source.ids == source.groups == ("Images/bus_0000-l.png",)
        expected = (one | two) > 0
        if more:
            expected = expected | (lesion.mask > 0)
        np.testing.assert_array_equal(source[0].mask > 0, expected)
    for line, reason in (
        ("Images/again.png,one.png,benign", "is listed twice, as 'Images/bus_0000-l.png'"),
        ("Images/bus_0000-l.png,two.png,malignant", "with another class"),
    ):
        (place / "set" / "list.csv").write_text(f"image,mask,label\n{rows[0]},benign\n{line}\n")
        with pytest.raises(UserError, match=f"line 3: .*{reason}"):
            opened(place, **PLAIN)


def test_an_umlaut_in_another_form_is_the_same_file(place):
    Image.fromarray(np.full((8, 8), 90, np.uint8)).save(place / "set" / "gr\u00fc\u00df.png")
    rows = "gru\u0308\u00df.png,,normal\ngr\u00fc\u00df.png,,normal\n"
    (place / "set" / "list.csv").write_text("image,mask,label\n" + rows)
    with pytest.raises(UserError, match=r"\(1\): line 3: 'gr\u00fc\u00df.png' is listed twice"):
        opened(place, **PLAIN)
    source = opened(place, on_bad="skip", **PLAIN)
    assert source.ids == ("gr\u00fc\u00df.png",)


def test_codes_that_say_not_known_are_told(place):
    names = [f"Images/bus_{index:04d}-l.png,Masks/mask_{index:04d}-l.png" for index in range(6)]
    codes = ("NA", "NA", "nan", "", "", "7")
    lines = "".join(f"{n},benign,{c}\n" for n, c in zip(names, codes, strict=True))
    (place / "set" / "list.csv").write_text("image,mask,label,patient\n" + lines)
    source = opened(place, **{**PLAIN, "table.group": "patient"})
    assert len(set(source.groups)) == 5
    (remark,) = source.remarks  # one 'nan' holds nothing together
    assert remark.startswith("look at: column patient: 'NA' stands for 2 images")


def test_what_is_bad_may_be_left_out(place):
    (place / "set" / "Images" / "bus_0001-l.png").write_bytes(b"no image")
    source = opened(place, on_bad="skip")
    assert len(source) == 11
    assert source.skipped[0][0] == "Images/bus_0001-l.png"
    assert source.description.endswith("left out: 1")


def test_a_set_without_normal_images_trains_and_is_an_external_test(
    place, config, monkeypatch, train
):
    """Its scores of that class are undefined; so they are told."""
    monkeypatch.chdir(place)
    fractions = {"validation_fraction": 0.3, "test_fraction": 0.3}
    config = config.but(
        data={**BUS_BRA, "dir": "set", "image_size": 16, **fractions},
        train={"batch_size": 4, "epochs": 1},
    )
    folder = epath.Path(place / "run")
    folder.mkdir()
    train(config, folder)
    summary = results.read_summary(folder)
    assert summary["source"] == "table"
    assert np.isnan(summary["dice_normal"])
    assert np.isnan(summary["auc_macro"])
    assert np.isfinite(summary["dice_average"])
    assert "null" in (folder / "evaluation" / "summary.json").read_text()

    write_bus_bra(place / "other", 6)
    run.evaluate_only(configuration.read(folder).but(data={"dir": "other"}), folder)
    other = results.read_summary(folder, "evaluation_other")
    assert (other["split"], other["n_images"], other["source"]) == ("external", 6, "table")


def test_an_external_test_of_a_busi_run_on_a_table(run_folder, place, monkeypatch, tmp_path):
    monkeypatch.chdir(place)
    shutil.copytree(run_folder, tmp_path / "run")
    config = configuration.read(tmp_path / "run").but(data={**BUS_BRA, "dir": "set"})
    run.evaluate_only(config, epath.Path(tmp_path / "run"))
    assert results.read_summary(tmp_path / "run", "evaluation_set")["n_images"] == 12

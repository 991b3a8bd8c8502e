"""Published sets in their own layouts, made small: known by it, with patients and scanners."""

import csv
import shutil
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from etils import epath
from PIL import Image

from busjax import run
from busjax.config import Data
from busjax.data.readers.sets import SETS, recognised
from busjax.data.sources import open_source
from busjax.errors import UserError
from busjax.runs import configuration, results

MASK = np.zeros((12, 16), np.uint8)
MASK[3:8, 4:12] = 255


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def grey(seed):
    return np.random.default_rng(seed).integers(0, 256, (12, 16), np.uint8)


def workbook(path, lines, sheet="Sheet1"):
    book = openpyxl.Workbook()
    book.active.title = "notes"
    page = book.create_sheet(sheet)
    for line in lines:
        page.append(line)
    book.save(path)


def write_bus_bra(root):
    lines = [["ID", "Case", "Histology", "Pathology", "BIRADS", "Device", "Width", "Side"]]
    for index, (name, case, kind) in enumerate(
        [("0001-l", 1, "malignant"), ("0001-r", 1, "malignant"), ("0002-l", 2, "benign")]
    ):
        save(root / f"Images/bus_{name}.png", grey(index))
        save(root / f"Masks/mask_{name}.png", MASK)
        lines.append([f"bus_{name}", case, "x", kind, 4, f"Scanner {case}", 16, "left"])
    with open(root / "bus_data.csv", "w", newline="") as file:
        csv.writer(file).writerows(lines)


def write_breast(root):
    images = root / "BrEaST-Lesions_USG-images_and_masks"
    other = np.roll(MASK, 3, 1)
    for number, masks in ((1, {"tumor": MASK}), (2, {"tumor": MASK, "tumor2": other}), (45, {})):
        save(images / f"case{number:03d}.png", grey(number))
        for name, mask in masks.items():
            save(images / f"case{number:03d}_{name}.png", mask)
    save(images / "case001_other1.png", 255 - MASK)  # no tumour
    head = ["CaseID", "Image_filename", "Mask_tumor_filename", "Mask_other_filename",
            "Pixel_size", "Classification"]  # fmt: skip
    lines = [
        [1, "case001.png", "case001_tumor.png", "case001_other1.png", 0.007, "benign"],
        [2, "case002.png", "case002_tumor.png&case002_tumor2.png", None, 0.007, "malignant"],
        [45, "case045.png", None, None, 0.007, "normal"],
    ]
    name = "BrEaST-Lesions-USG-clinical-data-Dec-15-2023.xlsx"
    workbook(root / name, [head, *lines], "BrEaST-Lesions-USG clinical dat")


def write_bus_uclm(root):
    colours = {"Benign": (0, 255, 0), "Malignant": (255, 0, 0), "Normal": (0, 0, 0)}
    lines = ["Image;Resolution;Doppler;Marks;Combined;Label"]
    for index, (name, label) in enumerate(
        [("ALWI_000", "Benign"), ("ALWI_001", "Normal"), ("ANFO_000", "Malignant")]
    ):
        save(root / f"images/{name}.png", grey(index))
        mask = np.where(MASK[..., None] > 0, colours[label], 0).astype(np.uint8)
        save(root / f"masks/{name}.png", mask)
        lines.append(f"{name}.png;16x12;No;No;No;{label}")
    (root / "INFO.csv").write_text("\n".join(lines) + "\n")


def write_udiat(root):
    for number in (1, 2, 163):
        save(root / f"original/{number:06d}.png", grey(number))
        save(root / f"GT/{number:06d}.png", MASK)
    lines = [["Image", "Type", "Diagnosis"], [1, "Benign", "CYST"], ["000002", "Malignant", "IDC"],
             [163, "Benign", "FA"]]  # fmt: skip
    workbook(root / "DatasetB.xlsx", lines)


WRITERS = {
    "bus_bra": write_bus_bra,
    "breast": write_breast,
    "bus_uclm": write_bus_uclm,
    "udiat": write_udiat,
}
EXPECTED = {  # ids, labels, groups, scanners
    "bus_bra": (("Images/bus_0001-l.png", "Images/bus_0001-r.png", "Images/bus_0002-l.png"),
                [1, 1, 0], ("1", "1", "2"), ("Scanner 1", "Scanner 1", "Scanner 2")),
    "breast": (tuple(f"BrEaST-Lesions_USG-images_and_masks/case{n}.png"
                     for n in ("001", "002", "045")),
               [0, 1, 2], ("case 1", "case 2", "case 45"), ("",) * 3),
    "bus_uclm": (("images/ALWI_000.png", "images/ALWI_001.png", "images/ANFO_000.png"),
                 [0, 2, 1], ("ALWI", "ALWI", "ANFO"), ("Siemens ACUSON S2000",) * 3),
    "udiat": (("original/000001.png", "original/000002.png", "original/000163.png"),
              [0, 1, 0], ("000001", "000002", "000163"), ("Siemens ACUSON Sequoia C512",) * 3),
}  # fmt: skip


@pytest.fixture(params=WRITERS)
def placed(request, tmp_path):
    """The key of a set, and a folder of another name in which it lies."""
    (tmp_path / "set").mkdir()
    WRITERS[request.param](tmp_path / "set")
    return request.param, tmp_path / "set"


def test_a_set_is_known_by_its_layout(placed):
    key, folder = placed
    assert recognised(epath.Path(folder)) == key
    source = open_source(Data(dir=str(folder)), "/")
    ids, labels, groups, scanners = EXPECTED[key]
    assert (source.name, source.ids, source.groups) == (key, ids, groups)
    assert (source.labels.tolist(), source.scanners) == (labels, scanners)
    assert source.description.startswith(f"{SETS[key].title}: 3 images (")
    assert source.remarks == ()
    for index, label in enumerate(labels):
        expected = MASK > 0
        if key == "breast" and index == 1:
            expected = expected | (np.roll(MASK, 3, 1) > 0)
        np.testing.assert_array_equal(source[index].mask > 0, expected & (label != 2))
    with pytest.raises(UserError, match="it tells its patients itself"):
        open_source(Data(dir=str(folder), curation="audit"), "/")
    for other in WRITERS:
        if other != key:
            with pytest.raises(UserError, match="as it is published"):
                open_source(Data(dir=str(folder), source=other), "/")


def test_what_is_wrong_with_a_set_is_named(placed):
    key, folder = placed
    first = folder / EXPECTED[key][0][0]
    first.write_bytes(b"no image")
    with pytest.raises(UserError, match=r"\(1\): .*cannot be decoded"):
        open_source(Data(dir=str(folder)), "/")
    assert len(open_source(Data(dir=str(folder), on_bad="skip"), "/")) == 2


@pytest.mark.parametrize(
    ("key", "table", "content"),
    [
        ("bus_bra", "bus_data.csv", b"ID,Case\na,1\n"),
        ("bus_bra", "bus_data.csv", b"ID,Case,Pathology,Device\nbus_0001-l,1,cyst,x\n"),
        ("bus_uclm", "INFO.csv", b"\xff\xfe"),
        ("udiat", "DatasetB.xlsx", b"no workbook"),
    ],
)
def test_a_table_that_is_not_the_published_one(tmp_path, key, table, content):
    WRITERS[key](tmp_path)
    (tmp_path / table).write_bytes(content)
    with pytest.raises(UserError, match=r"published|cannot be read|as BUS-BRA"):
        open_source(Data(dir=str(tmp_path)), "/")


def test_sets_are_joined_without_flags(tmp_path):
    for key in ("bus_bra", "udiat"):
        (tmp_path / key).mkdir()
        WRITERS[key](tmp_path / key)
    for name in ("benign", "malignant", "normal"):
        save(tmp_path / f"BUSI/{name}/{name} (1).png", grey(9))
        save(tmp_path / f"BUSI/{name}/{name} (1)_mask.png", MASK * (name != "normal"))
    source = open_source(Data(dir="BUSI,bus_bra,udiat"), tmp_path)
    assert source.name == "busi+bus_bra+udiat"
    assert len(source) == 9
    assert source.groups[3:6] == ("bus_bra/1", "bus_bra/1", "bus_bra/2")
    assert source.scanners[2:5] == ("", "Scanner 1", "Scanner 1")


def test_a_run_is_tested_on_a_published_set(run_folder, placed, tmp_path_factory):
    key, folder = placed
    workdir = epath.Path(shutil.copytree(run_folder, tmp_path_factory.mktemp("of") / "run"))
    config = configuration.read(workdir).but(data={"dir": str(folder)})
    summary = run.evaluate_only(config, workdir)
    assert (summary["split"], summary["source"], summary["n_images"]) == ("external", key, 3)
    rows = results.read_rows(workdir, "evaluation_set")
    assert [row.group for row in rows] == list(EXPECTED[key][2])


def test_the_real_set():
    folder = Path(__file__).parents[4] / "shared/data/BUSBRA"
    if not folder.is_dir():
        pytest.skip("no BUS-BRA beside the checkout")
    source = open_source(Data(dir=str(folder)), "/")
    assert np.bincount(source.labels).tolist() == [1268, 607]
    assert (len(set(source.groups)), len(set(source.scanners))) == (1064, 4)

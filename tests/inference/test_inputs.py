"""What is found in folders as they really are, and the names under which results go."""

import os

import pydicom
import pytest
from etils import epath
from PIL import Image

from busjax.errors import UserError
from busjax.inference import inputs, predict
from tests.inference.test_images import GREY, write_dicom


def collect(*paths, **options):
    return inputs.collect([epath.Path(path) for path in paths], **options)


def names(*paths):
    return [file.name for file in collect(*paths).files]


def test_folders_are_searched(tmp_path):
    for name in ("b.png", "b.jpg", "sub/c.PNG", "sub/c_mask.PNG", "d_mask.png", ".e.png", "f.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "plain").write_text("no suffix, no DICOM")
    assert [(file.path.name, file.name) for file in collect(tmp_path).files] == [
        ("b.jpg", "b_jpg"),
        ("b.png", "b_png"),
        ("d_mask.png", "d_mask"),  # no image beside it: an image of that name
        ("c.PNG", "sub/c"),
    ]
    given = (tmp_path / "f.txt", tmp_path / "sub", tmp_path, tmp_path / "b.png")
    assert names(*given) == ["f.txt", "c", "b_jpg", "b_png", "d_mask"]  # each once


def test_nothing_to_read(tmp_path):
    with pytest.raises(UserError, match=r"no image in .*expected \.png"):
        collect(tmp_path)
    with pytest.raises(UserError, match=r"'.*gone' does not exist"):
        collect(tmp_path / "gone")


def test_dicom_is_known_by_its_content(tmp_path):
    found = ("IM0001", "US.1.2.840.1.5", "1.2.276.0.3", "IM1.DCM;1", "b.IMA", "a.dcm")
    for name in found:
        write_dicom(tmp_path / name, GREY)
    content = (tmp_path / "IM0001").read_bytes()
    (tmp_path / "bare").write_bytes(content[132:])  # without the bytes that say what it is
    Image.fromarray(GREY).save(tmp_path / "picture", "jpeg")
    found = (*found, "bare", "picture")
    (tmp_path / "notes.1").write_text("no image" * 40)
    os.mkfifo(tmp_path / "pipe")
    assert {file.path.name for file in collect(tmp_path).files} == set(found)
    assert len(set(names(tmp_path))) == len(found)


def test_links_and_folders_that_cannot_be_read(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "a.png")
    (tmp_path / "again").symlink_to(".")
    (tmp_path / "sub").mkdir()
    Image.fromarray(GREY).save(tmp_path / "sub/b.png")
    (tmp_path / "sub/up").symlink_to("..")
    (tmp_path / "twice").symlink_to("sub")
    (tmp_path / "nowhere").symlink_to("gone")
    (tmp_path / "loop.png").symlink_to("loop.png")
    (tmp_path / "long").symlink_to("x" * 300)
    assert names(tmp_path) == ["a", "long", "loop", "nowhere", "sub/b"]


def test_a_folder_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    Image.fromarray(GREY).save(tmp_path / "a.png")
    (tmp_path / "lost+found").mkdir()
    iterdir = epath.Path(tmp_path).__class__.iterdir

    def refuse(path):
        if path.name == "lost+found":  # root may read everything
            raise PermissionError(13, "Permission denied", str(path))
        return iterdir(path)

    monkeypatch.setattr(epath.Path(tmp_path).__class__, "iterdir", refuse)
    found = collect(tmp_path)
    assert [file.name for file in found.files] == ["a"]
    ((path, reason),) = found.unreadable
    assert path.name == "lost+found"
    assert "Permission denied" in reason


@pytest.mark.parametrize("folder", ["@eaDir", "#recycle", "$RECYCLE.BIN", "__MACOSX", ".hidden"])
def test_waste_and_thumbnails_are_no_images(tmp_path, folder):
    (tmp_path / folder).mkdir()
    for name in (f"{folder}/thumb.png", "a.png"):
        Image.fromarray(GREY).save(tmp_path / name)
    assert names(tmp_path) == ["a"]
    assert names(tmp_path / folder) == ["thumb"]  # asked for


def test_folders_of_annotations_beside_folders_of_images(tmp_path):
    for name in ("set/Images/1.png", "set/Masks/1.png", "other/original/2.png", "other/GT/2.png",
                 "masks/3.png", "Images/4.png", "alone/Masks/5.png"):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert names(tmp_path) == ["Images/4", "alone/Masks/5", "other/original/2", "set/Images/1"]
    assert names(tmp_path / "masks") == ["3"]  # it was asked for


def test_annotations_beside_images_of_another_kind(tmp_path):
    for name in ("1.jpg", "1_mask.png", "2.dcm", "2_mask_1.bmp", "3_mask.png"):
        (tmp_path / name).touch()
    assert names(tmp_path) == ["1", "2", "3_mask"]


def test_names_never_collide(tmp_path):
    found = ("a.dcm", "a_frame_0001.png", "A.jpg", "x.png/1.png", "x.bmp", "y.png.jpg", "y.bmp",
             "y_bmp.tif", "y.tif")  # fmt: skip
    for name in found:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    other = tmp_path / "other/sub"
    other.mkdir(parents=True)
    (other / "x.bmp").touch()
    given = names(tmp_path, other)
    assert len(given) == len(found) + 1
    results = {f"{name}.png".casefold() for name in given}
    frames = {f"{name}_frame_0001.png".casefold() for name in given}
    assert len(results | frames) == 2 * len(given)
    folders = {str(parent) for name in results for parent in epath.Path(name).parents}
    assert not folders & results


def test_names_that_no_disk_or_reader_takes(tmp_path, run_folder, capsys):
    (tmp_path / "in").mkdir()
    long = "b" * 246 + ".png"
    other = "b" * 245 + "c.png"
    for name in (b"b\xf6se.png", "\U0001f600.png".encode(), long.encode(), other.encode()):
        with open(os.path.join(os.fsencode(tmp_path / "in"), name), "wb") as file:
            Image.fromarray(GREY).save(file, "png")
    given = names(tmp_path / "in")
    assert "b%F6se" in given
    assert len(set(given)) == 4
    assert max(len(name.encode()) for name in given) <= 200
    out = tmp_path / "out"
    assert predict.main([f"--workdir={run_folder}", f"--out={out}", str(tmp_path / "in")]) == 0
    assert {path.stem for path in (out / "masks").iterdir()} == set(given)
    assert "b\\\\xf6se.png" in (out / "predictions.json").read_text()


def test_what_holds_no_picture_is_no_error_in_a_folder(tmp_path, run_folder, capsys):
    (tmp_path / "in").mkdir()
    write_dicom(tmp_path / "in/IM0001", GREY)
    storage = "1.2.840.10008.5.1.4.1.1."
    kinds = {
        "DICOMDIR": "1.2.840.10008.1.3.10",
        **{"SR1": f"{storage}88.33", "PR1": f"{storage}11.1", "KO1": f"{storage}88.59"},
    }
    for name, kind in kinds.items():
        dataset = pydicom.dcmread(tmp_path / "in/IM0001")
        dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = kind
        for field in ("PixelData", "Rows", "Columns"):
            del dataset[field]
        dataset.save_as(tmp_path / "in" / name)
    where = [f"--workdir={run_folder}", f"--out={tmp_path / 'out'}", "--overwrite"]
    assert predict.main([*where, str(tmp_path / "in")]) == 0
    assert "1 of 1 files read; 4 DICOM files hold no picture" in capsys.readouterr().out
    assert predict.main([*where, str(tmp_path / "in"), str(tmp_path / "in/SR1")]) == 0  # of it
    capsys.readouterr()
    assert predict.main([*where, str(tmp_path / "in/SR1")]) == 3  # it was asked for
    assert "of a kind that holds no picture" in capsys.readouterr().err

"""The command on folders of images: what it leaves, what it says of what it cannot read."""

import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from etils import epath
from PIL import Image

import busjax
from busjax.data import splits
from busjax.data.readers.phantom import PhantomSource
from busjax.inference import folder, predict, predictions_page, record
from busjax.inference.export.__main__ import main as export
from busjax.networks import packaged, places
from busjax.runs import lock
from tests.inference.test_images import write_dicom

ROOT = Path(__file__).parent.parent.parent
RNG = np.random.default_rng(0)


def write_images(directory, count=3):
    """Writes noise of several sizes: a.png, sub/b.png, clip.dcm of two frames with spacing."""
    (directory / "sub").mkdir(parents=True)
    Image.fromarray(RNG.integers(0, 256, (20, 30), np.uint8)).save(directory / "a.png")
    Image.fromarray(RNG.integers(0, 256, (40, 24, 3), np.uint8)).save(directory / "sub/b.png")
    clip = RNG.integers(0, 256, (2, 32, 32), np.uint8)
    write_dicom(directory / "clip.dcm", clip, PixelSpacing=[0.2, 0.1])
    return directory


NAMES = ["a", "clip_frame_0001", "clip_frame_0002", "sub/b"]


@pytest.fixture
def inputs(tmp_path):
    return write_images(tmp_path / "in")


def run(run_folder, *arguments):
    return predict.main([f"--workdir={run_folder}", *map(str, arguments)])


SCHEMA = jsonschema.Draft202012Validator(
    json.loads(record.SCHEMA.read_text()), format_checker=jsonschema.FormatChecker()
)


def content(out):
    """What predictions.json says, which its schema describes."""
    found = json.loads((out / "predictions.json").read_text())
    SCHEMA.validate(found)
    return found


def pngs(directory):
    return sorted(
        path.relative_to(directory).with_suffix("").as_posix() for path in directory.rglob("*.png")
    )


@pytest.fixture
def lesion_everywhere(monkeypatch):
    """The network of two epochs sees nothing: it is made to see a rectangle of each image."""
    from busjax.inference.predictor import Predictor

    real = Predictor._reading

    def reading(self, frame, parts, said):
        mask = np.zeros_like(said[0].mask)
        height, width = mask.shape
        mask[height // 4 : height // 2, width // 4 : 3 * width // 4] = 1
        return real(self, frame, parts, [dataclasses.replace(each, mask=mask) for each in said])

    monkeypatch.setattr(Predictor, "_reading", reading)


def test_leaves_all_that_is_promised(run_folder, inputs, tmp_path, capsys, lesion_everywhere):
    out = tmp_path / "out"
    assert run(run_folder, inputs, f"--out={out}") == 0
    assert "3 of 3 files read" in capsys.readouterr().out
    assert pngs(out / "masks") == pngs(out / "overlays") == NAMES
    found = content(out)
    assert [entry["name"] for entry in found["images"]] == NAMES
    assert found["unreadable"] == []
    assert "no medical device" in found["note"]
    assert found["model"]["trained_on"]["source"] == "phantom"
    predictor = busjax.load(run_folder)
    image = np.asarray(Image.open(inputs / "a.png"))
    reading = predictor(image)
    mask = np.asarray(Image.open(out / "masks" / "a.png"))
    assert mask.shape == image.shape
    assert set(np.unique(mask)) == {0, 255}
    np.testing.assert_array_equal(mask > 0, reading.mask)
    overlay = np.asarray(Image.open(out / "overlays" / "a.png")).astype(int)
    drawn = np.ptp(overlay, axis=-1) > 0  # coloured
    assert drawn.any()
    np.testing.assert_array_equal(overlay[..., 0][~drawn], image[~drawn])
    entry = found["images"][0]
    assert (entry["width"], entry["height"], entry["frame"]) == (30, 20, None)
    assert sum(entry["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert max(entry["probabilities"], key=entry["probabilities"].get) == entry["class"]


def test_predictions_json_says_what_it_is_of(run_folder, inputs, tmp_path, lesion_everywhere):
    out = tmp_path / "out"
    run(run_folder, inputs, f"--out={out}", "--threshold=validation", "--save=masks")
    found = content(out)
    trained = places.open_network(run_folder)
    assert found["model"]["digest"] == trained.digest
    assert found["model"]["members"] == [trained.digest]
    assert found["settings"]["threshold"] == pytest.approx(float(trained.fitted.threshold))
    assert found["settings"]["temperature"] == 1.0
    image, frame = found["images"][:2]
    assert image["dicom"] is None
    assert frame["dicom"]["sop_instance_uid"] == "1.2.3"
    assert frame["dicom"]["study_instance_uid"] is None  # the file has none
    for entry in found["images"]:
        assert (out / entry["mask"]).is_file()
        assert entry["overlay"] is None
    text = (out / "predictions.json").read_text()
    for ids in splits.read(run_folder / "split.json").parts().values():
        assert not [id for id in ids if id in text]
    assert "--config" not in text


def test_boxes_are_as_the_conventions_say(run_folder, inputs, tmp_path, lesion_everywhere):
    out = tmp_path / "out"
    run(run_folder, inputs, f"--out={out}")
    for entry in content(out)["images"]:
        inside = np.asarray(Image.open(out / entry["mask"])) == 255
        (lesion,) = entry["lesions"]
        rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
        assert (lesion["top"], lesion["bottom"]) == (rows[0], rows[-1] + 1)
        assert (lesion["left"], lesion["right"]) == (columns[0], columns[-1] + 1)


def test_the_same_input_gives_the_same_file(run_folder, inputs, tmp_path, monkeypatch):
    (inputs / "text.png").write_text("only text")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    for name in ("one", "two"):
        run(run_folder, inputs, f"--out={tmp_path / name}")
    one, two = (tmp_path / name / "predictions.json" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    found = content(tmp_path / "one")
    assert found["date"] == "1970-01-02"
    assert "0x" not in found["unreadable"][0]["reason"]


def test_the_schema_refuses_what_it_does_not_describe(run_folder, inputs, tmp_path):
    out = tmp_path / "out"
    run(run_folder, inputs, f"--out={out}")
    found = content(out)
    for change in ({"surprise": 1}, {"schema_version": 2}, {"date": "yesterday"}):
        assert not SCHEMA.is_valid({**found, **change})
    for name in found:
        assert not SCHEMA.is_valid({key: value for key, value in found.items() if key != name})


def test_sizes_are_in_millimetres_where_they_are_told(
    run_folder, inputs, tmp_path, lesion_everywhere
):
    run(run_folder, inputs, f"--out={tmp_path / 'out'}")
    image, frame = content(tmp_path / "out")["images"][:2]
    (lesion,) = frame["lesions"]  # in an image of 32
    assert (lesion["right"] - lesion["left"], lesion["bottom"] - lesion["top"]) == (16, 8)
    assert lesion["area_pixels"] == 128
    assert lesion["area_mm2"] == pytest.approx(128 * 0.02, abs=0.01)
    assert lesion["longest_diameter_mm"] == pytest.approx((1.6**2 + 1.6**2) ** 0.5, abs=0.01)
    assert lesion["shortest_diameter_mm"] == pytest.approx(1.6, abs=0.01)
    assert (frame["pixel_height_mm"], frame["pixel_width_mm"]) == (0.2, 0.1)
    assert image["lesions"][0]["longest_diameter_mm"] is None
    assert image["lesions"][0]["longest_diameter_pixels"] > 0


def test_the_page_shows_every_image_and_says_what_it_is(run_folder, inputs, tmp_path):
    (inputs / "broken<1>.png").write_text("text")
    run(run_folder, inputs, f"--out={tmp_path / 'out'}")
    page = (tmp_path / "out" / "index.html").read_text()
    assert page.count("<article") == page.count("data:image/jpeg") == 4
    assert "trained on synthetic phantoms" in page
    assert "no medical device" in page
    assert "broken&lt;1&gt;.png" in page
    identifiers = re.findall(r'<image id="([^"]*)"', page)
    assert len(set(identifiers)) == 4
    assert re.findall(r'<use href="#([^"]*)"', page) == identifiers
    assert not re.search(r'src="(?!data:)|<link|url\(', page)  # needs no other file
    links = re.findall(r'<a href="([^"]*)"', page)
    assert [link for link in links if link[0] == "#"] == [f"#image-{i}" for i in range(1, 5)]
    assert {link[1:] for link in links if link[0] == "#"} <= set(re.findall(r'id="([^"]*)"', page))
    others = [urllib.parse.unquote(link) for link in links if link[0] != "#"]
    assert len(others) == 1 + 4 * 2  # numbers; mask and overlay of each image
    for link in others:
        assert (tmp_path / "out" / link).is_file()


@pytest.mark.parametrize(
    ("cases", "shown"), [(4, [4]), (3, [3, 1]), (2, [2, 2]), (1, [1, 1, 1, 1])]
)
def test_many_images_have_several_pages(run_folder, inputs, tmp_path, monkeypatch, cases, shown):
    monkeypatch.setattr(predictions_page, "CASES", cases)
    assert run(run_folder, inputs, f"--out={tmp_path / 'out'}", "--save=none") == 0
    first = (tmp_path / "out" / "index.html").read_text()
    assert "<h1>4 images</h1>" in first
    links = re.findall(r'<a href="(page[^"#]*)">([^<]*)</a>', first)
    assert [target for target, _ in links] == [f"page_{n}.html" for n in range(2, len(shown) + 1)]
    pages = [first, *((tmp_path / "out" / target).read_text() for target, _ in links)]
    assert [text.count("<article") for text in pages] == shown
    assert re.findall(r'aria-label="image of ([^"]*)"', "".join(pages)) == NAMES
    for target, name in re.findall(r'<td><a href="([^"]*)">([^<]*)</a>', first):
        file, _, identifier = target.partition("#")
        text = (tmp_path / "out" / (file or "index.html")).read_text()
        assert f'id="{identifier}"' in text
        assert f'aria-label="image of {name}"' in text
    for (_, told), text in zip(links, pages[1:], strict=True):
        assert f"<h1>Images {told}</h1>" in text
        assert "trained on synthetic phantoms" in text
        assert '<a href="index.html">' in text
    assert len(list((tmp_path / "out").iterdir())) == 1 + len(shown)


def test_what_is_no_b_mode_picture_is_told(run_folder, inputs, tmp_path, capsys):
    black = tmp_path / "black.png"
    Image.fromarray(np.zeros((40, 50), np.uint8)).save(black)
    run(run_folder, black, inputs, f"--out={tmp_path / 'out'}", "--save=none")
    first, *others = content(tmp_path / "out")["images"]
    assert first["out_of_distribution"]["objections"] == ["it is nearly black"]
    assert first["abstain"] is True
    assert first["abstain_reasons"][0] == "it is nearly black"
    page = (tmp_path / "out" / "index.html").read_text()
    assert page.count("I do not know: it is nearly black") == 1
    count = sum(image["abstain"] for image in (first, *others))
    assert f"Of {count} of them the network says" in page
    assert f"files read; the network is unsure of {count}" in capsys.readouterr().out
    assert page.count("I do not know: ") == sum(image["abstain"] for image in (first, *others))


def test_images_are_left_out_as_the_coverage_asks(run_folder, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    source = PhantomSource(48, 0, 16)
    for id in splits.read(run_folder / "split.json").train:
        Image.fromarray(source[source.ids.index(id)].image).save(folder / f"{id}.png")

    def left_out(*flags):
        out = tmp_path / "out"
        run(run_folder, folder, f"--out={out}", "--save=none", "--overwrite", *flags)
        found = content(out)
        for image in found["images"]:
            assert image["abstain"] == bool(image["abstain_reasons"])
        return sum(image["abstain"] for image in found["images"]), found["settings"]["coverage"]

    (few, at_ends), (default, at_90), (most, at_30) = (
        left_out("--coverage=1"), left_out(), left_out("--coverage=0.3")
    )  # fmt: skip
    assert few <= default < most
    assert (at_ends, at_90, at_30) == (1, 0.9, 0.3)


def test_without_a_name_it_is_the_network_that_comes_with_busjax(
    run_folder, inputs, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(packaged, "FOLDER", tmp_path / "packages")
    words = [str(inputs), f"--out={tmp_path / 'out'}", "--save=none"]
    assert predict.main(words) == 1
    assert "comes with no network: give one by --network" in capsys.readouterr().err
    handed = tmp_path / "packages" / "small"
    export([f"--workdir={run_folder}", "--format=folder", f"--out={handed}"])
    capsys.readouterr()
    assert predict.main(words) == 0
    assert "network: tiny, which comes with busjax, trained on 48" in capsys.readouterr().out
    digest = places.open_network(run_folder).digest
    assert content(tmp_path / "out")["model"]["digest"] == digest
    assert busjax.load().digests == (digest,)


def test_a_range_is_given_by_a_flag(run_folder, tmp_path):
    deep = np.random.default_rng(0).integers(0, 4096, (30, 40)).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    words = (tmp_path / "deep.png", f"--out={tmp_path / 'out'}", "--save=none", "--overwrite")
    assert run(run_folder, *words) == predict.UNREADABLE
    assert run(run_folder, *words, "--grey_range=0,4095") == 0
    assert "<h1>1 image</h1>" in (tmp_path / "out" / "index.html").read_text()


def test_views_that_are_compared_are_told(run_folder, inputs, tmp_path):
    for flips, is_told in (("none", False), ("both", True)):
        out = tmp_path / flips
        run(run_folder, inputs, f"--out={out}", "--save=none", f"--flips={flips}")
        for image in content(out)["images"]:
            told = [image["uncertainty"][f"{of}_disagreement"] for of in ("mask", "class")]
            assert all((value is not None) == is_told for value in told)


def test_a_network_that_does_not_know_its_doubts_says_so(run_folder, inputs, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run_folder, copy)
    (copy / "abstention.safetensors").unlink()
    run(copy, inputs, f"--out={tmp_path / 'out'}", "--save=none")
    for image in content(tmp_path / "out")["images"]:
        assert image["out_of_distribution"]["distance"] is None
        assert image["abstain"] is (True if image["abstain_reasons"] else None)
    assert "not known" in (tmp_path / "out" / "index.html").read_text()


def test_the_page_names_the_largest_lesions_only():
    lesion = {
        f"{name}_diameter_{unit}": None for name in ("longest", "shortest") for unit in ("mm",)
    }
    lesion |= {"longest_diameter_pixels": 4.0, "shortest_diameter_pixels": 3.0}
    entry = {"name": "a", "class": "benign", "probabilities": {"benign": 1.0}, "views": []}
    entry["abstain"] = None
    pixels = np.zeros((8, 8), np.uint8)
    for count, more in ((3, False), (5, True)):
        of = {**entry, "lesions": [lesion] * count}
        case = predictions_page.case(0, of, pixels, pixels.astype(float), {})
        text = predictions_page.further(
            {"model": {"trained_on": {"source": ""}}, "note": ""}, 2, [case]
        ).decode()
        assert text.count("lesion of 4.0 x 3.0 pixels") == 3
        assert ("and 2 smaller" in text) == more


@pytest.mark.parametrize(
    ("save", "folders"), [("masks", {"masks"}), ("overlays", {"overlays"}), ("none", set())]
)
def test_only_what_is_asked_for_is_saved(run_folder, inputs, tmp_path, save, folders):
    assert run(run_folder, inputs, f"--out={tmp_path / 'out'}", f"--save={save}") == 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"predictions.json", "index.html", *folders}


def test_a_file_that_cannot_be_read_is_named_and_the_rest_goes_on(
    run_folder, inputs, tmp_path, capsys
):
    (inputs / "text.png").write_text("only text")
    (inputs / "no_pixels.dcm").write_bytes(b"\0" * 128 + b"DICM")
    out = tmp_path / "out"
    assert run(run_folder, inputs, f"--out={out}") == 3
    told = capsys.readouterr()
    assert f"left out: {inputs / 'text.png'}: it cannot be read as an image" in told.err
    assert "no_pixels.dcm" in told.err
    assert "3 of 5 files read" in told.out
    assert [Path(entry["file"]).name for entry in content(out)["unreadable"]] == [
        "no_pixels.dcm", "text.png",
    ]  # fmt: skip
    assert pngs(out / "masks") == NAMES


def test_nothing_is_overwritten_unless_it_is_asked_for(run_folder, inputs, tmp_path, capsys):
    out = inputs / "results"  # within the folder that is read
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    assert run(run_folder, inputs, f"--out={out}") == 1
    assert "holds files already" in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == ["mine.txt"]
    for _ in range(2):
        assert run(run_folder, inputs, f"--out={out}", "--overwrite") == 0
        assert [entry["name"] for entry in content(out)["images"]] == NAMES  # not its own overlays
    assert (out / "mine.txt").read_text() == "mine"


def test_small_and_large_images(run_folder, tmp_path):
    for side in (1, 6000):
        Image.fromarray(np.full((side, side), 90, np.uint8)).save(tmp_path / f"{side}.png")
    out = tmp_path / "out"
    assert run(run_folder, tmp_path / "1.png", tmp_path / "6000.png", f"--out={out}") == 0
    for side in (1, 6000):
        with Image.open(out / "masks" / f"{side}.png") as mask:
            assert mask.size == (side, side)


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda run, inputs: shutil.rmtree(run), "holds no run"),
        (lambda run, inputs: shutil.rmtree(run / "checkpoints"), "holds no checkpoint"),
        (lambda run, inputs: [shutil.rmtree(inputs), inputs.mkdir()], "no image in"),
        (lambda run, inputs: shutil.rmtree(inputs), "does not exist"),
    ],
)
def test_what_is_missing_is_told_in_a_line(run_folder, inputs, tmp_path, capsys, prepare, message):
    shutil.copytree(run_folder, tmp_path / "run")
    prepare(tmp_path / "run", inputs)
    assert run(tmp_path / "run", inputs, f"--out={tmp_path / 'out'}") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("busjax: ")
    assert message in line
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_told(run_folder, inputs, tmp_path, capsys, monkeypatch):
    def read_only(path, content):  # root may write anywhere
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(folder.files, "replace", read_only)
    assert run(run_folder, inputs, f"--out={tmp_path / 'out'}") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "cannot be written: Permission denied" in line
    (tmp_path / "file").touch()
    assert run(run_folder, inputs, f"--out={tmp_path / 'file'}") == 1
    assert "is a file: give a folder" in capsys.readouterr().err


def test_wrong_flags(run_folder, inputs, capsys):
    with pytest.raises(SystemExit):
        run(run_folder, inputs, "--out=x", "--save=mask")
    assert "'mask' is unknown: choose masks, overlays" in capsys.readouterr().err


def test_ctrl_c_leaves_whole_files(run_folder, tmp_path):
    """A really interrupted process: each PNG opens, and the numbers are those of the PNGs."""
    inputs, out = tmp_path / "in", tmp_path / "out"
    inputs.mkdir()
    for number in range(400):
        Image.fromarray(RNG.integers(0, 256, (300, 300), np.uint8)).save(
            inputs / f"{number:03d}.bmp"
        )
    command = [sys.executable, "-m", "busjax.inference.predict", f"--workdir={run_folder}"]
    with subprocess.Popen(
        [*command, str(inputs), f"--out={out}"],
        cwd=ROOT,
        env={**os.environ, "JAX_PLATFORMS": "cpu", "GLIBC_TUNABLES": ""},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        deadline = time.monotonic() + 60
        while not (out / "overlays").is_dir() or len(pngs(out / "overlays")) < 20:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert told.splitlines()[-1].startswith("busjax: stopped before all files were read")
    written = pngs(out / "masks")
    assert 20 <= len(written) < 400
    for name in written:
        Image.open(out / "masks" / f"{name}.png").load()
    names = [entry["name"] for entry in content(out)["images"]]
    assert names == written
    assert not content(out)["complete"]
    page = (out / "index.html").read_text()
    assert page.count("<article") == len(names)
    assert "Stopped before all files were read" in page


def test_two_predictions_do_not_mix(run_folder, inputs, tmp_path, capsys):
    """One that finds another one at work is refused, even before that has written anything."""
    out = epath.Path(tmp_path / "out")
    with folder.reserved(out, overwrite=False):
        assert run(run_folder, inputs, f"--out={out}", "--overwrite") == 1
        assert str(out) in capsys.readouterr().err
        assert run(run_folder, inputs, f"--out={out}") == 1
    assert not (out / "predictions.json").exists()
    assert run(run_folder, inputs, f"--out={out}") == 0
    assert content(out)["complete"]
    assert not (out / lock.FILE).exists()
    assert "Stopped" not in (out / "index.html").read_text()


def test_the_folder_of_the_images_is_no_place_for_results(run_folder, inputs, capsys):
    assert run(run_folder, inputs, f"--out={inputs}", "--overwrite") == 1
    assert "is the folder of the images" in capsys.readouterr().err


@pytest.mark.parametrize("value", [np.nan, 300.0, -0.5])
def test_floats_without_a_range_are_named(run_folder, tmp_path, value):
    (tmp_path / "in").mkdir()
    pixels = np.full((20, 30), 0.5, np.float32)
    Image.fromarray(pixels).save(tmp_path / "in/sound.tif")
    pixels[3, 4] = value
    Image.fromarray(pixels).save(tmp_path / "in/odd.tif")
    out = tmp_path / "out"
    assert run(run_folder, tmp_path / "in", f"--out={out}") == 3
    assert [entry["name"] for entry in content(out)["images"]] == ["sound"]
    assert "not all in [0, 1]" in content(out)["unreadable"][0]["reason"]

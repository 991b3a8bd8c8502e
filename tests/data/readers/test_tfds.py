"""BUSI by way of TFDS: the same records as from the folder, without TensorFlow."""

import subprocess
import sys
import zipfile

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from busjax.classes import CLASSES
from busjax.config import Config, Data, Train
from busjax.data.pipeline import Shard, train_batches
from busjax.data.readers import tfds_builder
from busjax.data.sources import open_source
from busjax.data.splits import draw_split
from busjax.errors import UserError

KEPT = "class;id\nbenign;2\nmalignant;1\nnormal;3\n"
LETTER = """ID;Filename;Objection;Annotation
{1&2};{benign (1)&benign (2)};;
3;benign (3);;
438;malignant (1);;
439;malignant (2);axilla;
440;malignant (3);;
648;normal (1);;
{649&650};{normal (2)&normal (3)};;
"""
PART_IDS = {
    "all": [f"{name} ({i})" for name in CLASSES for i in (1, 2, 3)],
    "curated_450": ["benign (2)", "malignant (1)", "normal (3)"],
    "letter_529": ["benign (1)", "benign (3)", "malignant (1)", "malignant (3)", "normal (1)",
                   "normal (2)"],
}  # fmt: skip


def write_busi(folder):
    """Writes three images a class, of several sizes and modes, as the published folder has them."""
    rng = np.random.default_rng(0)
    for label, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for number in (1, 2, 3):
            height, width = 20 + 5 * number, 30 - label
            pixels = rng.integers(0, 256, (height, width, 3), np.uint8)
            image = Image.fromarray(pixels if number < 3 else pixels[..., 0])
            image.save(folder / name / f"{name} ({number}).png")
            mask = np.zeros((height, width), np.uint8)
            mask[5:12, 6:15] = 255 * (name != "normal")
            Image.fromarray(mask).save(folder / name / f"{name} ({number})_mask.png")
    return folder


@pytest.fixture(scope="module")
def manual(tmp_path_factory):
    """A manual_dir with the folder and both lists."""
    folder = tmp_path_factory.mktemp("manual")
    write_busi(folder / "Dataset_BUSI_with_GT")
    (folder / "one.csv").write_text(KEPT)
    (folder / "two.csv").write_text(LETTER)
    (folder / "another.csv").write_text("a,b\n1,2\n")
    return folder


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return tmp_path_factory.mktemp("prepared")


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    monkeypatch.delenv("BUSI_DIR", raising=False)


def config(**data):
    return Config(data=Data(image_size=16, **data), train=Train(batch_size=4))


def open_tfds(manual, prepared, part="all"):
    fields = config(source="tfds", dir=str(manual), tfds=f"busi/{part}", tfds_dir=str(prepared))
    return open_source(fields.data, manual)


def test_records_are_those_of_the_folder_bit_for_bit(manual, prepared):
    source = open_tfds(manual, prepared)
    lists = {"source": "busi", "dir": str(manual), "groups": str(manual / "two.csv")}
    folder = open_source(config(**lists).data, manual)
    assert (source.name, source.ids, source.groups) == (folder.name, folder.ids, folder.groups)
    np.testing.assert_array_equal(source.labels, folder.labels)
    assert len(source) == len(folder) == 9
    assert source.description == "BUSI: 9 images (3 benign, 3 malignant, 3 normal), TFDS " + (
        "busi/all/1.0.0"
    )
    for index in range(9):
        record, other = source[index], folder[index]
        assert (record.id, record.label, record.group) == (other.id, other.label, other.group)
        for pixels, expected in ((record.image, other.image), (record.mask, other.mask)):
            assert pixels.dtype == expected.dtype
            np.testing.assert_array_equal(pixels, expected)


def test_training_batches_are_those_of_the_folder_bit_for_bit(manual, prepared):
    lists = {"source": "busi", "dir": str(manual), "groups": str(manual / "two.csv")}
    streams = []
    for source in (
        open_tfds(manual, prepared),
        open_source(config(**lists).data, manual),
    ):
        split = draw_split(source.ids, source.labels, source.groups, 0.2, 0.2, 0)
        batches = train_batches(source, split.train, config(), Shard())
        streams.append((split, [next(batches) for _ in range(5)]))
        batches.close()
    assert streams[0][0] == streams[1][0]
    for batch, other in zip(streams[0][1], streams[1][1], strict=True):
        for key, value in batch.items():
            np.testing.assert_array_equal(value, other[key])


@pytest.mark.parametrize("part", PART_IDS)
def test_parts(manual, prepared, part):
    source = open_tfds(manual, prepared, part)
    assert list(source.ids) == PART_IDS[part]
    group_of = dict(zip(source.ids, source.groups, strict=True))
    assert group_of.get("benign (2)", "benign (1)") == "benign (1)"  # by the letter


def test_the_archive_as_it_is_published(manual, prepared, tmp_path):
    folder = manual / "Dataset_BUSI_with_GT"
    with zipfile.ZipFile(tmp_path / tfds_builder.ARCHIVE, "w") as archive:
        for path in folder.rglob("*.png"):
            archive.write(path, path.relative_to(manual))
    source = open_tfds(tmp_path, tmp_path / "prepared")
    assert source.ids == open_tfds(manual, prepared).ids
    assert source.groups == source.ids  # no list, no groups
    np.testing.assert_array_equal(source[4].image, open_tfds(manual, prepared)[4].image)


def test_a_prepared_set_needs_no_raw_data(manual, prepared, tmp_path):
    open_tfds(manual, prepared)
    assert len(open_tfds(tmp_path / "gone", prepared)) == 9


def test_info_and_random_access_of_tfds(manual, prepared):
    open_tfds(manual, prepared)
    builder = tfds.builder("busi/all", data_dir=prepared)
    assert "Al-Dhabyani" in builder.info.citation
    assert "CC BY 4.0" in builder.info.redistribution_info.license
    assert set(builder.info.features) == {"image", "mask", "label", "id", "group"}
    assert builder.info.features["label"].names == list(CLASSES)
    half = tfds.data_source("busi/all", split="train[:50%]", data_dir=prepared)
    assert [entry["id"].decode() for entry in half] == PART_IDS["all"][:4]


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("all", r"no BUSI data in '.*': download Dataset_BUSI\.zip from"),
        ("curated_450", r"busi/curated_450 needs its published list \(CSV, class;id\) in"),
        ("letter_529", "busi/letter_529 needs its published list"),
    ],
)
def test_an_empty_manual_dir_is_told(tmp_path, part, message):
    raw = tmp_path / "raw"
    raw.mkdir()
    with pytest.raises(UserError, match="which holds nothing: download"):
        open_tfds(raw, tmp_path / "prepared", part)
    (raw / "notes.txt").touch()
    with pytest.raises(UserError, match=message):
        open_tfds(raw, tmp_path / "prepared", part)
    assert not list((tmp_path / "prepared").rglob("*.array_record"))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"dir": "gone"}, r"not in '.*gone', which holds nothing: download"),
        ({"tfds": "no_such_set"}, "config.data.tfds='no_such_set' is no data set"),
        ({"tfds": "busi/half"}, "config.data.tfds='busi/half' is no data set"),
        ({"groups": "list.csv"}, "choose the part by config.data.tfds"),
    ],
)
def test_what_cannot_be_opened(tmp_path, fields, message):
    fields = {"source": "tfds", "tfds_dir": str(tmp_path), **fields}
    with pytest.raises(UserError, match=message):
        open_source(config(**fields).data, tmp_path)


def test_a_broken_archive_is_told(tmp_path):
    (tmp_path / tfds_builder.ARCHIVE).write_bytes(b"PK not really")
    with pytest.raises(UserError, match="cannot be unpacked"):
        open_tfds(tmp_path, tmp_path / "prepared")


def test_two_processes_prepare_it_once_and_neither_imports_tensorflow(manual, tmp_path):
    code = (
        "import sys; from busjax.data.sources import open_source; from busjax.config import Data;"
        f"data = Data(source='tfds', dir={str(manual)!r}, tfds_dir={str(tmp_path)!r});"
        "assert len(open_source(data, '.')) == 9; open_source(data, '.')[0];"
        "assert not {'tensorflow', 'jax'} & set(sys.modules)"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in both:
        _, told = process.communicate(timeout=60)
        assert process.returncode == 0, told
    assert len(list(tmp_path.rglob("*.array_record*"))) == 1

"""Hundreds of broken folders and lists: one clear error that names the file, or a listed skip.

Never a traceback, a hang, an image lost without a word, or a file read outside of the folder.
"""

import io
import random
import shutil
import struct
import zlib

import numpy as np
import pytest
from etils import epath
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from busjax.config import Table
from busjax.data.audit import overrides
from busjax.data.curation import read_list
from busjax.data.readers.busi import BusiSource
from busjax.data.readers.table import TableSource
from busjax.errors import UserError
from busjax.runs.rows import from_csv

NAMES = ("benign (1)", "benign (2)", "malignant (1)", "normal (1)")
TARGETS = ("benign/benign (1).png", "benign/benign (1)_mask.png", "normal/normal (1).png")


def png(image, kind="png", **options):
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def write_busi(root):
    grey = Image.fromarray(np.random.default_rng(0).integers(0, 255, (12, 16), np.uint8))
    inside = Image.fromarray(np.pad(np.full((4, 6), 255, np.uint8), ((4, 4), (5, 5))))
    for name in NAMES:
        folder = root / name.split()[0]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.png").write_bytes(png(grey))
        if folder.name != "normal":
            (folder / f"{name}_mask.png").write_bytes(png(inside))
    return root


def bomb():
    """A file that says it holds 20,000 x 20,000 pixels."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(b"\0")), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


def of_mode(mode, size=(16, 12), kind="png"):
    return lambda path: path.write_bytes(png(Image.new(mode, size, 0), kind))


def exif_rotated(path):
    exif = Image.Exif()
    exif[274] = 6  # to be turned by a quarter
    path.write_bytes(png(Image.new("L", (16, 12), 90), "jpeg", exif=exif))


def animated(path):
    frames = [Image.new("L", (16, 12), level) for level in (0, 90, 200)]
    path.write_bytes(png(frames[0], "gif", save_all=True, append_images=frames[1:]))


def loop(path):
    path.unlink()
    path.symlink_to(path)


def folder_in_place(path):
    path.unlink()
    path.mkdir()


def truncated(share):
    def spoil(path):
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])

    return spoil


def flipped(seed):
    """Some bytes changed anywhere."""

    def spoil(path):
        rng = random.Random(seed)
        content = bytearray(path.read_bytes())
        for _ in range(rng.choice((1, 3, 20))):
            content[rng.randrange(len(content))] = rng.randrange(256)
        path.write_bytes(bytes(content))

    return spoil


SPOILT = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("no image at all"),
    "gone": lambda path: path.unlink(),
    "a folder": folder_in_place,
    "a loop": loop,
    "to nowhere": lambda path: (path.unlink(), path.symlink_to(path.parent / "nowhere.png")),
    "20,000 pixels": lambda path: path.write_bytes(bomb()),
    "one pixel": of_mode("L", (1, 1)),
    "a line": of_mode("L", (20_000, 1)),
    "another size": of_mode("L", (17, 12)),
    "JPEG": of_mode("L", kind="jpeg"),
    "CMYK": of_mode("CMYK", kind="jpeg"),
    "TIFF, 32 bits": of_mode("F", kind="tiff"),
    "TIFF, integers": of_mode("I", kind="tiff"),
    "EXIF-rotated": exif_rotated,
    "animated": animated,
    **{f"mode {mode}": of_mode(mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")},
    **{f"cut at {share}": truncated(share) for share in (0.05, 0.3, 0.6, 0.9, 0.99)},
    **{f"bytes {seed}": flipped(seed) for seed in range(40)},
}
MISPLACED = (
    "benign/benign (3)_mask.png",
    "benign/malignant (9).png",
    "benign/bénin (1).png",
    "benign/benign (1) - copy.png",
    "benign/benign 1.png",
    "benign/.png",
    "benign/benign (1)_mask_.png",
    "malignant/BENIGN (1).PNG",
    "normal/normal (1)_mask.png",
    "normal/normal (-1).png",
    "normal/normal (１).png",  # noqa: RUF001  (a wide digit is meant)
    "normal/a;b\tc.png",
)


def attempt(read, error=UserError):
    """What it gives, or None and the message of the one kind of error that may come."""
    try:
        return read(), ""
    except error as told:
        return None, str(told)


def check_told(root, name):
    """A spoilt file is told by its image's name, or is sound; all other images are there."""
    spoilt = name.split("/")[1].removesuffix(".png").split("_")[0]
    whole, message = attempt(lambda: BusiSource(root, "error"))
    if whole is None:
        assert "\n" not in message
        assert spoilt in message
        left = BusiSource(root, "skip")
        assert left.skipped
        assert set(NAMES) - {spoilt} <= set(left.ids)
        return
    # A class without images is told by the name of its folder.
    told = any(f"{name.split('/')[0]}/: the folder" in line for line in whole.remarks)
    assert set(NAMES) - ({spoilt} if told else set()) <= set(whole.ids)
    for index in range(len(whole)):
        record = whole[index]
        assert record.image.dtype == record.mask.dtype == np.uint8
        assert record.image.shape == record.mask.shape
        assert record.mask.max() <= 1


@pytest.mark.parametrize("target", TARGETS)
def test_spoilt_files(tmp_path, target):
    for number, spoil in enumerate(SPOILT.values()):
        root = write_busi(tmp_path / str(number))
        spoil(root / target)
        check_told(root, target)
        shutil.rmtree(root)


@pytest.mark.parametrize("name", MISPLACED)
def test_misplaced_files(tmp_path, name):
    root = write_busi(tmp_path / "busi")
    (root / name).write_bytes(png(Image.new("L", (16, 12), 255)))
    check_told(root, name)


def test_there_are_enough_of_them():
    assert len(SPOILT) * len(TARGETS) + len(MISPLACED) >= 200


TEXT = st.text(st.characters(codec="utf-8"), max_size=200)
LINES = st.lists(
    st.lists(
        st.sampled_from(("benign (1)", "benign", "1", "{1&2}", "", "ID", "../x", '"', "ü", "0.5"))
        | TEXT,
        max_size=6,
    ),
    max_size=6,
)
ENDS = st.sampled_from(("\n", "\r\n", "\r"))
QUICK = settings(
    max_examples=150, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip


@st.composite
def tables(draw, *heads):
    """Lists of any content, most of them with a head that is right."""
    delimiter, end = draw(st.sampled_from((",", ";", "\t"))), draw(ENDS)
    head = draw(st.sampled_from((*heads, "")))
    lines = [head, *(delimiter.join(line) for line in draw(LINES))]
    mark = draw(st.sampled_from((b"", b"\xef\xbb\xbf", b"\xff\xfe")))
    return mark + end.join(lines).encode()


def read_or_be_told(read, path, content):
    """Only an error with a message may come."""
    path.write_bytes(content)
    found, message = attempt(lambda: read(epath.Path(path)))
    assert found is not None or message


@QUICK
@given(content=tables("class;id", "ID;Filename;Objection;Annotation") | st.binary(max_size=200))
def test_lists_of_any_content(tmp_path, content):
    read_or_be_told(read_list, tmp_path / "list.csv", content)


@QUICK
@given(content=st.binary(max_size=100) | TEXT.map(lambda text: text.encode()))
def test_audits_of_any_content(tmp_path, content):
    read_or_be_told(read_list, tmp_path / "audit.json", content)


@QUICK
@given(content=tables("action,one,other"))
def test_overrides_of_any_content(tmp_path, content):
    read_or_be_told(lambda path: overrides.read(path, NAMES), tmp_path / "o.csv", content)


@QUICK
@given(content=tables("image,mask,label", "image;mask;label") | st.binary(max_size=200))
def test_tables_of_any_content(tmp_path, content):
    table = Table()
    read_or_be_told(
        lambda path: TableSource(path.parent, table, "skip"), tmp_path / "images.csv", content
    )


@QUICK
@given(content=TEXT)
def test_tables_of_results_of_any_content(content):
    found, message = attempt(lambda: from_csv(content), ValueError)
    assert found is not None or message


def test_paths_out_of_the_folder_are_not_followed(tmp_path):
    (tmp_path / "secret.png").write_bytes(png(Image.new("L", (16, 12), 255)))
    (tmp_path / "set").mkdir()
    table = Table()
    for path in (
        "../secret.png",
        str(tmp_path / "secret.png"),
        "a/../../secret.png",
        "..\\secret.png",
    ):
        (tmp_path / "set" / "images.csv").write_text(f"image,mask,label\n{path},,normal\n")
        with pytest.raises(UserError, match="not one usable image"):
            TableSource(epath.Path(tmp_path / "set"), table, "skip")

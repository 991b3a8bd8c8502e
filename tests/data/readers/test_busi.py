import struct
import zlib

import numpy as np
import pytest
from etils import epath
from PIL import Image

from busjax.data.readers.busi import BusiSource
from busjax.errors import UserError

H, W = 6, 8
GREY = np.arange(H * W, dtype=np.uint8).reshape(H, W) * 5
SQUARE = np.zeros((H, W), np.uint8)
SQUARE[1:4, 2:6] = 1
EMPTY = np.zeros((H, W), np.uint8)


def save(path, pixels):
    """Writes uint8 pixels or a Pillow image as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(path, format="png")


@pytest.fixture
def folder(tmp_path):
    """A sound BUSI folder: benign 1, 2, 10; malignant 1; normal 1 (with mask), 2 (without)."""
    for number in (10, 2, 1):
        save(tmp_path / f"benign/benign ({number}).png", GREY)
        save(tmp_path / f"benign/benign ({number})_mask.png", SQUARE * 255)
    save(tmp_path / "malignant/malignant (1).png", GREY)
    save(tmp_path / "malignant/malignant (1)_mask.png", SQUARE * 255)
    save(tmp_path / "normal/normal (1).png", GREY)
    save(tmp_path / "normal/normal (1)_mask.png", EMPTY)
    save(tmp_path / "normal/normal (2).png", GREY)
    return tmp_path


def test_reads_the_official_layout_in_natural_order(folder):
    (folder / "benign/._benign (1).png").write_bytes(b"left by a file manager")
    (folder / "benign/Thumbs.db").write_bytes(b"likewise")
    source = BusiSource(folder, "error")
    assert source.ids == (
        *("benign (1)", "benign (2)", "benign (10)"),
        *("malignant (1)", "normal (1)", "normal (2)"),
    )
    assert source.labels.tolist() == [0, 0, 0, 1, 2, 2]
    assert source.labels.dtype == np.int32
    assert source.groups == source.ids
    assert (source.name, len(source), source.skipped) == ("busi", 6, [])
    assert source.description == "BUSI: 6 images (3 benign, 1 malignant, 2 normal)"
    record = source[3]
    assert (record.id, record.label, record.group) == ("malignant (1)", 1, "malignant (1)")
    assert record.image.dtype == record.mask.dtype == np.uint8
    np.testing.assert_array_equal(record.image, GREY)
    np.testing.assert_array_equal(record.mask, SQUARE)
    np.testing.assert_array_equal(source[5].mask, EMPTY)


def test_accepts_the_parent_folder(folder, tmp_path_factory):
    parent = tmp_path_factory.mktemp("parent")
    folder.rename(parent / "Dataset_BUSI_with_GT")
    assert len(BusiSource(parent, "error")) == 6


def test_merges_several_masks(folder):
    second, third = EMPTY.copy(), EMPTY.copy()
    second[5, 7] = third[0, 0] = 255
    save(folder / "benign/benign (2)_mask_1.png", second)
    save(folder / "benign/benign (2)_mask_2.png", third)
    expected = SQUARE.copy()
    expected[5, 7] = expected[0, 0] = 1
    np.testing.assert_array_equal(BusiSource(folder, "error")[1].mask, expected)


def test_what_is_not_kept_is_not_read(folder):
    (folder / "benign/benign (10).png").write_bytes(b"broken, but not asked for")
    keep = {"benign (2)", "normal (1)"}
    source = BusiSource(folder, "error", keep)
    assert source.ids == source.groups == ("benign (2)", "normal (1)")
    with pytest.raises(UserError, match=r"BUSI folder lacks \(1\).*malignant \(7\)"):
        BusiSource(folder, "error", {*keep, "malignant (7)"})


def palette(pixels, colours):
    image = Image.fromarray(pixels).convert("L")
    image = Image.frombytes("P", image.size, image.tobytes())
    image.putpalette(colours)
    return image


def with_alpha(pixels, alpha, mode):
    image = Image.fromarray(pixels).convert(mode)
    image.putalpha(Image.fromarray(alpha))
    return image


OPAQUE = np.full((H, W), 255, np.uint8)
WHITE = np.full((H, W), 255, np.uint8)

MASKS = {
    "L, 0 and 255": SQUARE * 255,
    "L, 0 and 1": SQUARE,
    "1": Image.fromarray(SQUARE * 255).convert("1"),
    "RGB": Image.fromarray(SQUARE * 255).convert("RGB"),
    "LA": with_alpha(SQUARE * 255, OPAQUE, "L"),
    "RGBA": with_alpha(SQUARE * 255, OPAQUE, "RGB"),
    "RGBA, white on transparent white": with_alpha(WHITE, SQUARE * 255, "RGB"),
    "P, black and white": palette(SQUARE, [0, 0, 0, 255, 255, 255]),
    "P, index 0 is white": palette(SQUARE, [255, 255, 255, 0, 0, 0]),
    "P, red on black": palette(SQUARE, [0, 0, 0, 200, 0, 0]),
    "I;16, full scale": SQUARE.astype(np.uint16) * 65535,
    "I;16, 0 and 1": SQUARE.astype(np.uint16),
    "soft edge": SQUARE * 255 + (GREY % 3) * 20 * (1 - SQUARE),
}


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS.keys())
def test_masks_of_every_mode(folder, mask):
    save(folder / "benign/benign (1)_mask.png", mask)
    np.testing.assert_array_equal(BusiSource(folder, "error")[0].mask, SQUARE)


IMAGES = {
    "RGB": Image.fromarray(GREY).convert("RGB"),
    "RGBA": with_alpha(GREY, OPAQUE, "RGB"),
    "LA": with_alpha(GREY, OPAQUE, "L"),
    "P": palette(255 - GREY, [255 - level // 3 for level in range(768)]),
    "I;16": GREY.astype(np.uint16) * 257,
}


@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES.keys())
def test_images_of_every_mode(folder, image):
    save(folder / "benign/benign (1).png", image)
    np.testing.assert_array_equal(BusiSource(folder, "error")[0].image, GREY)


def test_transparent_pixels_of_an_image_are_black(folder):
    save(folder / "benign/benign (1).png", with_alpha(WHITE, SQUARE * 255, "RGB"))
    np.testing.assert_array_equal(BusiSource(folder, "error")[0].image, SQUARE * 255)


def test_colour_becomes_luma(folder):
    save(folder / "benign/benign (1).png", Image.new("RGB", (W, H), (255, 0, 0)))
    np.testing.assert_array_equal(BusiSource(folder, "error")[0].image, np.full((H, W), 76))


def missing_mask(folder):
    (folder / "benign/benign (2)_mask.png").unlink()


def other_size(folder):
    save(folder / "benign/benign (2)_mask.png", SQUARE[:-1] * 255)


def truncated_image(folder):
    path = folder / "benign/benign (2).png"
    save(path, np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8))
    path.write_bytes(path.read_bytes()[:2000])


def no_image_at_all(folder):
    (folder / "benign/benign (2)_mask.png").write_bytes(b"not a PNG")


def empty_mask(folder):
    save(folder / "benign/benign (2)_mask.png", EMPTY)


def orphan_mask(folder):
    (folder / "benign/benign (2).png").unlink()


def lesion_in_a_normal_image(folder):
    save(folder / "normal/normal (1)_mask.png", SQUARE)


def strange_name(folder):
    save(folder / "benign/benign 3.png", GREY)


def other_kind(folder):
    Image.fromarray(GREY).save(folder / "benign/benign (4).webp")


def folder_in_a_class(folder):
    save(folder / "benign/more/benign (9).png", GREY)


def same_id_twice(folder):
    Image.fromarray(GREY).save(folder / "benign/benign (2).bmp")
    (folder / "benign/benign (2)_mask.png").rename(folder / "benign/benign (3)_mask.png")
    (folder / "benign/benign (2).png").rename(folder / "benign/benign (3).png")
    Image.fromarray(SQUARE).save(folder / "benign/benign (2)_mask.bmp")
    Image.fromarray(GREY).save(folder / "benign/benign (3).tif")


def several_pictures(folder):
    pages = [Image.fromarray(GREY)] * 2
    path = folder / "benign/benign (7).tif"
    pages[0].save(path, save_all=True, append_images=pages[1:])
    save(folder / "benign/benign (7)_mask.png", SQUARE)


def levels_of_an_unknown_range(folder):
    save(folder / "benign/benign (2).png", GREY.astype(np.uint16) * 16)


def grey_part_of_a_mask(folder):
    mask = np.zeros((H, W), np.uint8)
    mask[:, :2], mask[:, 5:] = 255, 90
    save(folder / "benign/benign (2)_mask.png", mask)


def image_in_another_class(folder):
    save(folder / "benign/malignant (2).png", GREY)


def missing_class(folder):
    for path in (folder / "malignant").iterdir():
        path.unlink()
    (folder / "malignant").rmdir()


def empty_class(folder):
    for path in (folder / "malignant").iterdir():
        path.unlink()


def decompression_bomb(folder):
    """A PNG that says it has 30000 x 5000 pixels: above Pillow's limit, below twice the limit."""
    path = folder / "benign/benign (2).png"
    png = bytearray(path.read_bytes())
    png[16:24] = struct.pack(">II", 30_000, 5_000)
    png[29:33] = struct.pack(">I", zlib.crc32(png[12:29]))
    path.write_bytes(png)


DEFECTS = [
    (missing_mask, "benign/benign (2).png", "its mask is missing"),
    (other_size, "benign/benign (2)_mask.png", "the mask is 8x5, its image 8x6"),
    (truncated_image, "benign/benign (2).png", "cannot be decoded"),
    (no_image_at_all, "benign/benign (2)_mask.png", "cannot be decoded"),
    (empty_mask, "benign/benign (2).png", "its mask is empty"),
    (orphan_mask, "benign/benign (2)_mask.png", "a mask without its image"),
    (lesion_in_a_normal_image, "normal/normal (1).png", "class is normal"),
    (strange_name, "benign/benign 3.png", "its name is not like 'benign (1).png'"),
    (other_kind, "benign/benign (4).webp", "a .webp file is not read"),
    (folder_in_a_class, "benign/more", "a folder within a class is not read"),
    (same_id_twice, "benign/benign (3).tif", "'benign (3).png' is the same image by its name"),
    (several_pictures, "benign/benign (7).tif", "it holds 2 pictures"),
    (levels_of_an_unknown_range, "benign/benign (2).png", "give them by grey_range"),
    (grey_part_of_a_mask, "benign/benign (2)_mask.png", "has the grey level 90 of 255"),
    (image_in_another_class, "benign/malignant (2).png", "its name is not like"),
    (decompression_bomb, "benign/benign (2).png", "could be decompression bomb"),
]


@pytest.mark.parametrize(
    ("break_it", "file", "reason"), DEFECTS, ids=lambda x: getattr(x, "__name__", "")
)
def test_defects_are_named_or_skipped(folder, break_it, file, reason):
    break_it(folder)
    with pytest.raises(UserError) as error:
        BusiSource(folder, "error")
    message = str(error.value)
    assert f"bad files in '{folder}' (1): {file}: " in message
    assert reason in message
    assert "\n" not in message
    assert "on_bad=skip" in message

    source = BusiSource(folder, "skip")
    assert [name for name, _ in source.skipped] == [file]
    assert reason in source.skipped[0][1]
    assert "bad files left out: 1" in source.description
    assert "benign (1)" in source.ids
    if break_it is not same_id_twice:
        assert file.rpartition("/")[2].rpartition(".")[0] not in source.ids
    assert f"left out: {file}: {source.skipped[0][1]}" in source.remarks
    assert len(source.ids) == len(source.labels) == len(source.groups) == len(source)


def test_all_bad_files_are_in_one_message(folder):
    for break_it in (missing_mask, lesion_in_a_normal_image, other_kind, strange_name):
        break_it(folder)
    with pytest.raises(UserError) as error:
        BusiSource(folder, "error")
    for file in ("benign (2).png", "normal (1).png", "benign (4).webp", "benign 3.png"):
        assert file in str(error.value)
    assert "(4)" in str(error.value)


@pytest.mark.parametrize("break_it", [missing_class, empty_class])
def test_a_class_without_images_is_told_and_no_error(folder, break_it):
    break_it(folder)
    source = BusiSource(folder, "error")
    assert source.labels.tolist() == [0, 0, 0, 2, 2]
    assert source.remarks == ("look at: malignant/: the folder is missing or holds no image",)
    missing_mask(folder)  # which is bad all the same
    with pytest.raises(UserError, match="its mask is missing"):
        BusiSource(folder, "error")


@pytest.mark.parametrize("kind", ["jpg", "BMP", "tif"])
def test_images_and_masks_in_other_formats_are_read(folder, kind):
    Image.fromarray(GREY).save(
        folder / f"benign/benign (4).{kind}", **{"quality": 100} if kind == "jpg" else {}
    )
    Image.fromarray(SQUARE * 255).save(folder / f"benign/benign (4)_mask.{kind}")
    source = BusiSource(folder, "error")
    record = source[source.ids.index("benign (4)")]
    assert abs(record.image.astype(int) - GREY).max() <= (2 if kind == "jpg" else 0)
    np.testing.assert_array_equal(record.mask, SQUARE)


def test_what_systems_leave_in_a_class_is_no_image(folder):
    for name in ("@eaDir", "#recycle", ".thumbnails"):
        save(folder / "benign" / name / "benign (1).png", GREY)
    (folder / "normal/notes.txt").write_text("two images")
    source = BusiSource(folder, "error")
    assert len(source) == 6
    assert source.remarks == ()


def test_a_class_that_may_not_be_read_is_named(folder, monkeypatch):
    kind = type(epath.Path(folder))
    iterdir = kind.iterdir

    def refuse(path):
        if path.name == "normal":  # root may read everything
            raise PermissionError(13, "Permission denied", str(path))
        return iterdir(path)

    monkeypatch.setattr(kind, "iterdir", refuse)
    with pytest.raises(UserError, match=r"normal: .*Permission denied"):
        BusiSource(folder, "error")
    assert len(BusiSource(folder, "skip")) == 4


def test_an_inverted_mask_is_told(folder):
    save(folder / "benign/benign (2)_mask.png", (1 - SQUARE) * 255)
    (remark,) = BusiSource(folder, "error").remarks
    assert remark.startswith(
        "look at: benign/benign (2)_mask.png: its mask covers 75% of the image"
    )


def test_a_range_that_is_given_is_used(folder):
    save(folder / "benign/benign (2).png", GREY.astype(np.uint16) * 16)
    source = BusiSource(folder, "error", grey_range="0,4080")
    np.testing.assert_array_equal(source[1].image, GREY)


def test_very_many_bad_files_are_counted(folder):
    for number in range(100, 130):
        save(folder / f"benign/benign ({number}).png", GREY)
    with pytest.raises(UserError, match=r"\(30\): .*; and 10 more") as error:
        BusiSource(folder, "error")
    assert str(error.value).count("mask is missing") == 20


def test_no_busi_folder(tmp_path):
    with pytest.raises(UserError, match="no BUSI folder: expected the folders benign, malignant"):
        BusiSource(tmp_path, "error")
    with pytest.raises(UserError, match="does not exist"):
        BusiSource(tmp_path / "absent", "skip")


def test_nothing_usable(tmp_path):
    (tmp_path / "benign").mkdir()
    with pytest.raises(UserError, match="not one usable image"):
        BusiSource(tmp_path, "skip")

"""Small sound files of each kind, and what reads them."""

import io
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pydicom
from etils import epath
from PIL import Image
from pydicom.uid import JPEGBaseline8Bit, RLELossless

from busjax.config import Table
from busjax.data import masks, pictures
from busjax.data.curation import read_list
from busjax.data.readers.table import TableSource
from busjax.errors import UserError
from busjax.inference import images
from busjax.networks import places
from tests.inference.test_images import write_dicom

GREY = np.random.default_rng(0).integers(0, 256, (12, 16), np.uint8)
RGB = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], -1)


class Failure(AssertionError):
    """A file that was neither read nor named."""


def allowed(read, errors):
    """What a reader gives; None where it names what is wrong; else a Failure."""
    try:
        return read()
    except errors as error:
        if "\n" in str(error) and errors is UserError:
            raise Failure(f"several lines: {error}") from error
        return None


class Picture:
    """A picture file: read for a prediction, as an image of a data set, and as a mask."""

    def __init__(self, folder, kind, **options):
        content = io.BytesIO()
        Image.fromarray(RGB if kind == "jpeg" else GREY).save(content, kind, **options)
        self.content = content.getvalue()

    def read(self, content):
        for frame in allowed(lambda: list(images.decode(content)), UserError) or ():
            check_frame(frame)
        for decode in (pictures.decode, masks.decode):
            found = allowed(lambda decode=decode: decode(content), pictures.Undecodable)
            if found is not None and (found.ndim != 2 or found.dtype not in (np.uint8, bool)):
                raise Failure(f"{decode.__module__}: {found.shape} {found.dtype}")


class Dicom:
    def __init__(self, folder, pixels, *given, **fields):
        self.content = Path(
            write_dicom(Path(folder) / "a.dcm", pixels, *given, **fields)
        ).read_bytes()

    def read(self, content):
        for is_dicom in (False, True):
            for frame in (
                allowed(lambda i=is_dicom: list(images.decode(content, None, i)), UserError) or ()
            ):
                check_frame(frame)


def check_frame(frame):
    if frame.pixels.ndim != 2 or frame.pixels.dtype != np.uint8 or not frame.pixels.size:
        raise Failure(f"frame {frame.pixels.shape} {frame.pixels.dtype}")
    if frame.spacing is not None and not (
        np.isfinite(frame.spacing).all() and min(frame.spacing) > 0
    ):
        raise Failure(f"spacing {frame.spacing}")


class Lines:
    """The table of a data set."""

    def __init__(self, folder):
        self.folder = Path(folder)
        for name in ("a.png", "b.png"):
            Image.fromarray(GREY).save(self.folder / name)
        Image.fromarray((GREY > 99) * np.uint8(255)).save(self.folder / "m.png")
        self.content = b"image,mask,label\na.png,m.png,benign\nb.png,m.png,malignant\n"

    def read(self, content):
        (self.folder / "images.csv").write_bytes(content)
        place, table = epath.Path(self.folder), Table()
        source = allowed(lambda: TableSource(place, table, "skip"), UserError)
        if source is not None and not 1 <= len(source) <= 2:
            raise Failure(f"{len(source)} images")


class Audit:
    def __init__(self, folder):
        self.folder = Path(folder)
        group = {"members": ["benign (1)", "benign (2)"], "representative": "benign (1)",
                 "why": "most pixels", "pairs": []}  # fmt: skip
        objection = {"kind": "tiny mask", "ids": ["benign (3)"], "detail": ""}
        told = {
            "version": 1, "images": {f"benign ({n})": "benign" for n in range(1, 5)},
            "groups": [group], "objections": [objection],
            "overrides": {"join": [], "part": [], "drop": []}, "unusable": [],
        }  # fmt: skip
        self.content = json.dumps(told, indent=1).encode()

    def read(self, content):
        path = self.folder / "audit.json"
        path.write_bytes(content)
        allowed(lambda: read_list(epath.Path(path)), UserError)


class Model:
    """A network that was handed over: one file of it is damaged, known by its checksum or not."""

    def __init__(self, folder, handed):
        self.folder = Path(shutil.copytree(handed, Path(folder) / "network"))
        files = [path for path in self.folder.iterdir() if path.is_file() and path.suffix != ".md"]
        names = sorted(path.name for path in files)
        self.sound = {name: (self.folder / name).read_bytes() for name in names}
        self.content = self.sound["model.json"]
        self.turn = 0

    def read(self, content):
        """Damage to the largest file is made here: it is of the same share, at its head."""
        names = [name for name in self.sound if name != "model.json"]
        self.turn += 1
        for name, sound in self.sound.items():
            (self.folder / name).write_bytes(sound)
        if self.turn % 2:
            (self.folder / "model.json").write_bytes(content)
        else:
            name = names[self.turn // 2 % len(names)]
            sound = self.sound[name]
            share = content[:400]
            (self.folder / name).write_bytes(share[: len(share) // 2] + sound[len(share) // 2 :])
        allowed(lambda: places.open_network(self.folder), UserError)


def _deep(folder):
    lut = pydicom.Dataset()
    lut.LUTDescriptor, lut.LUTData = [16, 0, 8], bytes(range(0, 256, 16))
    return Dicom(folder, (GREY.astype(np.uint16) << 4), bits=12, RescaleSlope="2",
                 RescaleIntercept="-10", WindowCenter=["100", "40"], WindowWidth=["50", "3"],
                 PixelSpacing=["0.1", "0.2"], VOILUTSequence=[lut])  # fmt: skip


def _palette(folder):
    entries = np.arange(256, dtype=np.uint16).tobytes()
    fields = {
        f"{c}PaletteColorLookupTableDescriptor": [256, 0, 16] for c in ("Red", "Green", "Blue")
    }
    fields |= {f"{c}PaletteColorLookupTableData": entries for c in ("Red", "Green", "Blue")}
    return Dicom(folder, GREY, "PALETTE COLOR", **fields)


def _regions(folder):
    region = pydicom.Dataset()
    region.RegionDataType, region.RegionSpatialFormat = 1, 1
    region.RegionLocationMinX0 = region.RegionLocationMinY0 = 0
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 15, 11
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX = region.PhysicalDeltaY = 0.02
    return Dicom(folder, RGB, "YBR_FULL", SequenceOfUltrasoundRegions=[region])


def _jpeg(folder):
    content = io.BytesIO()
    Image.fromarray(GREY).save(content, "jpeg")
    clip = pydicom.encaps.encapsulate([content.getvalue()] * 3)
    return Dicom(folder, np.stack([GREY] * 3), syntax=JPEGBaseline8Bit, PixelData=clip)


def _rle(folder):
    dataset = pydicom.dcmread(write_dicom(Path(folder) / "b.dcm", np.stack([GREY, GREY])))
    dataset.compress(RLELossless, generate_instance_uid=False)
    dataset.save_as(Path(folder) / "b.dcm")
    kind = Dicom(folder, GREY)
    kind.content = (Path(folder) / "b.dcm").read_bytes()
    return kind


KINDS = {
    "PNG": lambda folder: Picture(folder, "png"),
    "JPEG": lambda folder: Picture(folder, "jpeg"),
    "TIFF": lambda folder: Picture(folder, "tiff", save_all=True,
                                   append_images=[Image.fromarray(GREY)]),
    "BMP": lambda folder: Picture(folder, "bmp"),
    "DICOM, 8 bits": lambda folder: Dicom(folder, GREY),
    "DICOM, 12 bits": _deep,
    "DICOM, palette": _palette,
    "DICOM, colours and regions": _regions,
    "DICOM, JPEG": _jpeg,
    "DICOM, RLE": _rle,
    "table": Lines,
    "audit": Audit,
}  # fmt: skip


def made(name, handed=None):
    """A kind in a folder of its own."""
    folder = tempfile.mkdtemp(prefix="fuzz_")
    return Model(folder, handed) if name == "model" else KINDS[name](folder)

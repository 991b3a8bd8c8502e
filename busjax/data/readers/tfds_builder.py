"""BUSI for TensorFlow Datasets: `tfds.builder('busi/all')`, without TensorFlow.

Al-Dhabyani et al., Dataset of breast ultrasound images, Data in Brief 28, 2020, 104863. Importing
this module registers the builder. Prepared as ArrayRecord, it needs no TensorFlow:

    builder.download_and_prepare(
        file_format="array_record",
        download_config=tfds.download.DownloadConfig(manual_dir=FOLDER),
    )
"""

from __future__ import annotations

import contextlib
import io
import tempfile
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from etils import epath
from PIL import Image

from busjax.classes import CLASSES
from busjax.data.curation import Curation, read_list
from busjax.data.readers import busi
from busjax.data.readers.selected import SelectedSource
from busjax.errors import UserError

ARCHIVE = "Dataset_BUSI.zip"  # as it is published; it holds the folder Dataset_BUSI_with_GT

HOW_TO_GET_IT = (
    f"download {ARCHIVE} from the page of the article (doi:10.1016/j.dib.2019.104863) and put it, "
    f"or the folder {busi.FOLDER}, there"
)
_CITATION = """\
@article{aldhabyani2020busi,
  author = {Al-Dhabyani, Walid and Gomaa, Mohammed and Khaled, Hussien and Fahmy, Aly},
  title = {Dataset of breast ultrasound images},
  journal = {Data in Brief},
  volume = {28},
  pages = {104863},
  year = {2020},
  doi = {10.1016/j.dib.2019.104863}
}"""


class Busi(tfds.core.GeneratorBasedBuilder):
    """780 breast ultrasound images with the masks of their tumours, or a published part of them.

    The folder given as `manual_dir` holds the official archive or folder, and the published list
    of a part as CSV under any name: 'curated_450' needs the list of 'Curated BUSI', 'letter_529'
    that of the letter; with 'all', the letter's list tells the groups where it is there.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Grey images and merged masks, as busjax reads them."}  # noqa: RUF012
    BUILDER_CONFIGS = [  # noqa: RUF012
        tfds.core.BuilderConfig(name="all", description="All images."),
        tfds.core.BuilderConfig(
            name="curated_450",
            description="Those of Aumente-Maestro, Diez and Remeseiro (CMPB 2025, 108540).",
        ),
        tfds.core.BuilderConfig(
            name="letter_529",
            description="One image a group, none with an objection, after Pawlowska, Karwat and "
            "Zolek (Data in Brief 48, 2023, 109247).",
        ),
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = HOW_TO_GET_IT

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=(__doc__ or "").split("\n")[0],
            homepage="https://doi.org/10.1016/j.dib.2019.104863",
            citation=_CITATION,
            license="The article and the list of the letter are CC BY 4.0.",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(None, None, 1), encoding_format="png"),
                    "mask": tfds.features.Image(shape=(None, None, 1), encoding_format="png"),
                    "label": tfds.features.ClassLabel(names=list(CLASSES)),
                    "id": tfds.features.Text(),
                    "group": tfds.features.Text(),
                }
            ),
            supervised_keys=("image", "label"),
            disable_shuffling=True,  # the order of the folder reader, so that splits are the same
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        return {"train": self._generate_examples(epath.Path(dl_manager.manual_dir))}

    def _generate_examples(self, folder: epath.Path) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yields the records as PNG: image in [0, 255], mask 0 or 1.

        Raises:
            UserError: the data or the list of the part is missing or broken.
        """
        keep, groups = self._part(folder)
        with _unpacked(folder) as root:
            images = busi.BusiSource(root, "error", keep)
            source = SelectedSource(images, images.ids, groups)
            for index in range(len(source)):
                record = source[index]
                yield (
                    index,
                    {
                        "image": _png(record.image),
                        "mask": _png(record.mask),
                        "label": record.label,
                        "id": record.id,
                        "group": record.group,
                    },
                )

    def _part(self, folder: epath.Path) -> tuple[frozenset[str] | None, dict[str, str]]:
        kept, letter = _lists(folder)
        part = self.builder_config.name
        if part == "all":
            return None, letter.groups if letter else {}
        chosen = kept if part == "curated_450" else letter
        if chosen is None:
            columns = "class;id" if part == "curated_450" else "ID;Filename;Objection;Annotation"
            raise UserError(f"busi/{part} needs its published list (CSV, {columns}) in '{folder}'")
        return chosen.keep, letter.groups if letter else {}


def _lists(folder: epath.Path) -> tuple[Curation | None, Curation | None]:
    """The two published lists, known by their columns: images to keep, and the letter's groups."""
    kept = letter = None
    for path in sorted(folder.glob("*.csv")):
        try:
            published = read_list(path)
        except UserError:  # another table
            continue
        if published.groups:
            letter = published
        else:
            kept = published
    return kept, letter


@contextlib.contextmanager
def _unpacked(folder: epath.Path) -> Iterator[epath.Path]:
    """The folder of the images: as it lies there, or out of the archive."""
    archive = folder / ARCHIVE
    with tempfile.TemporaryDirectory() as temporary:
        root = _found(folder)
        if root is None and archive.exists():
            try:
                with zipfile.ZipFile(io.BytesIO(archive.read_bytes())) as content:
                    content.extractall(temporary)
            except (zipfile.BadZipFile, OSError) as error:
                raise UserError(f"'{archive}' cannot be unpacked ({error}): get it anew") from error
            root = _found(epath.Path(temporary))
        if root is None:
            raise UserError(f"no BUSI data in '{folder}': {HOW_TO_GET_IT}")
        yield root


def _found(folder: epath.Path) -> epath.Path | None:
    try:
        return busi.find_folder(folder)
    except UserError:
        return None


def _png(pixels: np.ndarray) -> io.BytesIO:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "png")
    content.seek(0)
    return content

"""Where images come from, how they are cleaned, split and read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from busjax.config.rules import FLAG, PART, POSITIVE, SHARE, Ends, OneOf, Text, Whole
from busjax.config.section import Section, setting

_SOURCES = ("busi", "bus_bra", "breast", "bus_uclm", "udiat", "phantom", "table", "tfds")


class Table(Section):
    """Which columns of a table tell what of an image; for `data.source` 'table'."""

    PLACE: ClassVar[str] = "data.table."

    file: str = setting(
        Text(empty=False),
        "the table, in data.dir; its first line names the columns",
        default="images.csv",
    )
    delimiter: str = setting(OneOf((",", ";", "\t")), "between two cells", default=",")
    image: str = setting(
        Text(empty=False),
        "path in data.dir: {COLUMN} is its cell; {COLUMN|old|new} the cell with a text exchanged",
        default="{image}",
    )
    mask: str = setting(
        Text(),
        "path likewise, such as 'Masks/{ID|bus|mask}.png'; of class normal it is not read",
        default="{mask}",
    )
    label: str = setting(Text(empty=False), "column of the class", default="label")
    labels: str = setting(
        Text(), "classes of other labels, such as 'B=benign,M=malignant'", default=""
    )
    group: str = setting(
        Text(),
        "column of the patient or case, never parted by a split; '': each its own",
        default="",
    )


class Data(Section):
    PLACE: ClassVar[str] = "data."

    source: str = setting(
        OneOf(("auto", *_SOURCES)),
        "table: a CSV lists the images; auto: BUSI or a published set, known by its layout, in "
        "data.dir, else phantoms",
        default="auto",
    )
    dir: str = setting(
        Text(),
        "the folder, or several joined by ','; '': $BUSI_DIR, else data/Dataset_BUSI_with_GT",
        default="",
        free=True,
    )
    extra: str = setting(
        Text(),
        "further folders, as data.dir, that are trained on alone: no image of them is validated or "
        "tested on, and the split of data.dir stays",
        default="",
        free=True,
    )
    table: Table = Table()
    tfds: str = setting(
        Text(empty=False),
        "for 'tfds': 'busi/all' | 'busi/curated_450' | 'busi/letter_529'",
        default="busi/all",
    )
    tfds_dir: str = setting(
        Text(),
        "folder of the prepared TFDS sets; '': $TFDS_DATA_DIR, else in the home",
        default="",
        free=True,
    )
    curation: str = setting(
        Text(empty=False),
        "'none' | 'audit' (made once) | a file: an audit, or a list made by hand",
        default="none",
    )
    groups: str = setting(
        Text(),
        "'audit' or a file, as curation, taken for its groups only; '': by curation",
        default="",
    )
    on_bad: str = setting(
        OneOf(("error", "skip")),
        "a bad file: name them all and stop, or list them and go on",
        default="error",
    )
    grey_range: str = setting(
        Ends(),
        "grey levels that are black and white where the type of a file does not say it, such as "
        "'0,4095': 16 bits that hold fewer, 32 bits, signed, floats; '': such a file is bad",
        default="",
    )
    fit: str = setting(
        OneOf(("stretch", "pad")),
        "how an image becomes a square; stretch: its proportions are given up; pad: they are kept, "
        "and what is added around it counts in no loss and no score",
        default="stretch",
    )
    image_size: int = setting(Whole(2, 4096), "pixels a side, after resizing", default=128)
    phantom_count: int = setting(POSITIVE, "synthetic images, the classes in turn", default=400)
    phantom_seed: int = setting(Whole(0), "another seed, other phantoms", default=0)
    validation_fraction: float = setting(
        PART, "of all images; the checkpoint is chosen on them", default=0.15
    )
    test_fraction: float = setting(
        SHARE,
        "of all images; evaluated once, at the end (crossval: 1 / cv.folds); 0: all others are "
        "trained on, and nothing is evaluated",
        default=0.2,
    )
    split_seed: int = setting(Whole(0), "another seed, another split", default=0)
    split_file: str = setting(
        Text(), "a saved split (JSON) to use again; '': drawn by split_seed", default=""
    )
    oversample: bool = setting(
        FLAG, "repeat whole classes until they are as equal as whole factors allow", default=False
    )
    balance: str = setting(
        OneOf(("none", "class", "set", "set_class")),
        "what is drawn equally often: classes, the sets that were joined, or the classes of each "
        "set; an epoch keeps its length. none: every image once an epoch",
        default="none",
    )
    threads: int = setting(Whole(0, 1024), "that decode and augment", default=2, free=True)
    prefetch: int = setting(Whole(0, 1024), "batches made ahead of the step", default=4, free=True)

    def contradictions(self) -> Iterator[str]:
        if self.oversample and self.balance != "none":
            yield "config.data.oversample and config.data.balance exclude each other: set one"
        if self.validation_fraction + self.test_fraction >= 1:
            yield (
                f"config.data.validation_fraction={self.validation_fraction} and config.data."
                f"test_fraction={self.test_fraction} leave nothing to train on: their sum must be "
                "below 1"
            )

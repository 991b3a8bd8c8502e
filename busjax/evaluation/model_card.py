"""What a trained network is, what it reached and what it must not be used for: MODEL_CARD.md.

After Mitchell et al., Model cards for model reporting, FAT* 2019, arXiv:1810.03993.
"""

from __future__ import annotations

import math
from typing import Any

from etils import epath

from busjax import files
from busjax.classes import CLASSES
from busjax.data import splits
from busjax.evaluation import grid
from busjax.files import PathLike
from busjax.runs import results
from busjax.runs.finished import Run, read_fitted, read_run

FILE = "MODEL_CARD.md"
_BY_CLASS = {"images": "n", "Dice": "dice", "IoU": "iou", "sensitivity": "sensitivity",
             "F1": "f1", "AUC": "auc"}  # fmt: skip

_OPTIMISTIC = "The checkpoint was chosen by these images: on others its scores are lower."


def write_model_card(workdir: PathLike) -> epath.Path:
    """Writes MODEL_CARD.md into the folder of a finished run and returns its path.

    Of a run without a test part it has the scores of the validation part, and says so.

    Raises:
        UserError: a file of the run is missing or broken.
    """
    run = read_run(workdir) if results.exist(workdir) else read_fitted(workdir)
    path = epath.Path(workdir) / FILE
    split_file = path.parent / splits.FILE
    split, origin = splits.read(split_file), splits.provenance(split_file)
    sections = (
        _head(run),
        _use(run),
        _data(run, split, origin),
        _scores(run),
        _weaknesses(run),
        _origin(run),
    )
    files.replace(path, ("\n\n".join(sections) + "\n").encode())
    return path


def _head(run: Run) -> str:
    config = run.config
    title = f"# {run.name}: {config['model.name']} for breast ultrasound"
    warning = (
        "\n\n**Trained and tested on synthetic phantoms. What it says of patients means nothing.**"
        if run.is_phantom
        else ""
    )
    size, parameters = config["data.image_size"], run.facts.get("parameters")
    count = f", {parameters:,} parameters" if parameters else ""
    refined = run.facts.get("refine", config["model.refine"])
    return (
        f"{title}{warning}\n\nOne network that draws the tumour and calls the image "
        f"{', '.join(CLASSES[:-1])} or {CLASSES[-1]}: {config['model.name']}, "
        f"{_parts(config)}{count}; images of {size} x {size} pixels; refinement '{refined}'."
    )


def _parts(config: dict[str, Any]) -> str:
    """Its encoder, and the sizes that are its own."""
    encoder, width = config.get("model.encoder", "conv"), f"width {config['model.width']}"
    if encoder == "conv":
        return f"{width}, depth {config['model.depth']}"
    weights = config.get("model.encoder_weights")
    return f"encoder {encoder}{f' ({weights} weights at the start)' if weights else ''}, {width}"


def _use(run: Run) -> str:
    return (
        "## Use\n\n"
        "For research on methods of segmentation and classification.\n\n"
        "**It is no medical device and must not be used** for diagnosis, screening, triage or any "
        "decision about a patient, nor for images of another organ or modality."
    )


def _data(run: Run, split: splits.Split, origin: dict[str, Any]) -> str:
    config = run.config
    parts = ", ".join(f"{len(ids)} {part}" for part, ids in split.parts().items())
    curation = config["data.curation"].rpartition("/")[2]
    groups = config["data.groups"].rpartition("/")[2]
    return (
        "## Data\n\n"
        f"* {origin.get('description', run.facts['source'])}\n"
        f"* curation: {curation}; groups: {groups or 'as the curation or the set tells'}\n"
        f"* split by group and class, seed {config['data.split_seed']}: {parts}\n"
        f"* SHA-256 of the split: `{splits.digest(split)}`\n"
        + (
            "* the checkpoint was chosen on the validation part; there is no test part"
            if run.is_untested
            else "* the checkpoint was chosen on the validation part; the test part was used for "
            "the scores below only"
        )
    )


def _scores(run: Run) -> str:
    head = "| | " + " | ".join(_BY_CLASS) + " |\n|---|" + "---|" * len(_BY_CLASS)
    rows = [
        f"| {name} | "
        + " | ".join(_number(run.scores[f"{score}_{name}"]) for score in _BY_CLASS.values())
        + " |"
        for name in CLASSES
    ]
    total = ("n_images", "dice_average", "iou_average", "balanced_accuracy", "f1_weighted")
    overall = " | ".join(_number(run.scores[score]) for score in (*total, "auc_macro"))
    title, table = "## Scores on the test part", "images.csv"
    if run.is_untested:
        title, table = f"## Scores on the validation part\n\n{_OPTIMISTIC}", results.VALIDATION
    return (
        f"{title}\n\n"
        + "\n".join([head, *rows, f"| all | {overall} |"])
        + f"\n\nAccuracy {_number(run.scores['accuracy'])}. Of all: Dice and IoU are means over "
        "images, sensitivity is balanced accuracy, F1 is weighted by class, AUC is the mean of the "
        "classes. Masks are compared in the pixels of "
        f"{grid.of_results(run.facts, run.config)}. "
        f"Of each image: `evaluation/{table}` of the run."
    )


def _weaknesses(run: Run) -> str:
    normal, malignant = run.rows_of("normal"), run.rows_of("malignant")
    part = "validation" if run.is_untested else "test"
    folders = (run.config["data.dir"], run.config.get("data.extra", ""))
    sets = sum(len(files.several(folder)) for folder in folders if folder)
    weaknesses = [
        "it knows the scanners and patients of "
        + ("one data set only" if sets < 2 else f"{sets} data sets only"),
        *(
            []
            if run.config.get("data.fit") == "pad"
            else ["images are resized to a square: the proportions of a lesion are lost"]
        ),
        "its probabilities are not calibrated"
        if run.config.get("inference.temperature", "none") == "none"
        else "its probabilities are calibrated on images of the same data: elsewhere they may be "
        "too sure",
    ]
    if normal:
        marked = sum(row.tp + row.fp > 0 for row in normal)
        weaknesses.append(f"of {len(normal)} normal {part} images {marked} got a mask")
    if malignant:
        missed = sum(row.predicted != "malignant" for row in malignant)
        weaknesses.append(
            f"of {len(malignant)} malignant {part} images {missed} were called otherwise"
        )
    known = run.config["data.groups"] or run.config["data.curation"] != "none"
    if not run.is_phantom and run.config["data.source"] != "tfds" and not known:
        weaknesses.append(
            "no list of duplicates was given: copies of one image may lie in training and test, "
            "and the scores be too high"
        )
    return "## Known weaknesses\n\n" + "\n".join(f"* {line}" for line in weaknesses)


def _origin(run: Run) -> str:
    facts = run.facts
    return (
        "## Origin\n\n"
        f"* seed {run.config['seed']}; checkpoint of epoch {facts.get('checkpoint_epoch')}, step "
        f"{facts.get('checkpoint_step')}, of {run.config['train.epochs']} epochs\n"
        f"* evaluated {facts.get('date')}, commit {facts.get('commit') or 'unknown'}, on "
        f"{facts.get('device')}, activations {facts.get('dtype')}\n"
        f"* {facts.get('versions') or 'jax ' + str(facts.get('jax'))}\n"
        "* every setting: `config.json` of the run, `model.json` where it was handed over"
    )


def _number(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    return "undefined" if math.isnan(value) else f"{value:.3f}"

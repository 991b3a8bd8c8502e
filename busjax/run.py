"""One run: a folder with its configuration, its split, and all that comes of them."""

from __future__ import annotations

import json
import os
import time
from typing import Any

import numpy as np
from etils import epath

from busjax import files, processes
from busjax.config import FREE, INFERENCE, PATHS, Config, differing
from busjax.data import records, sources, splits
from busjax.data.records import RecordSource
from busjax.data.splits import Split
from busjax.errors import UserError
from busjax.evaluation import external, scores
from busjax.evaluation.evaluate import evaluate, fit
from busjax.evaluation.model_card import write_model_card
from busjax.networks import portable
from busjax.networks.places import trained_on
from busjax.runs import checkpoint, configuration, lock, results
from busjax.training import monitor
from busjax.training.loop import train

_SECONDS_TO_APPEAR = 60


def train_and_evaluate(
    config: Config, workdir: epath.Path, given: tuple[RecordSource, Split] | None = None
) -> dict[str, Any]:
    """Trains (or goes on), evaluates the best checkpoint on the test split, writes the report.

    Args:
        config: of the run.
        workdir: folder of the run, which exists.
        given: the images and their split; None: as the configuration says.

    Returns:
        The summary of the evaluation; nothing where there is no test part.

    Raises:
        lock.Held: another run works in the folder.
        UserError: data, configuration and folder do not fit together.
    """
    if portable.exists(workdir):
        raise UserError(
            f"{workdir} holds a network that was handed over, which is not trained on: choose "
            "another folder with --workdir"
        )
    with files.written(workdir), lock.held(workdir, config.train.lock_timeout):
        source, split = _prepare(config, workdir, FREE, given)
        monitor.check(config.train.monitor, labels_of(source, split.validation))
        _print_parts(source, split)
        if processes.is_first():
            _save(config, workdir, source, split)
        processes.on_all(lambda: _check_shared(workdir))
        train(config, workdir, source, split)
        return _evaluate_and_report(config, workdir, source, split)


def evaluate_only(
    config: Config, workdir: epath.Path, results_in: str = results.FOLDER
) -> dict[str, Any]:
    """Evaluates the best checkpoint of a run again, on its own test split; writes the report.

    Args:
        config: of the run; fields of the inference may be others. Where `data.dir` names other
            images than the run's own, all of them are an external test.
        workdir: folder of the run.
        results_in: the folder for the results, within `workdir`; those of an external test never
            take the place of the run's own.

    Returns:
        The summary; its 'split' is 'test' where it was the run's own, else 'external'.

    Raises:
        UserError: there is no run, it was trained otherwise, or the folder holds the results of
            other images.
    """
    if not configuration.exists(workdir) and not portable.exists(workdir):
        raise UserError(f"{workdir} holds no run: train one first (--mode=train)")
    if portable.exists(workdir) and not config.data.dir:
        raise UserError(
            f"the network in {workdir} was handed over without its images: give others by "
            "--config.data.dir=FOLDER"
        )
    if external.is_asked_for(config, workdir) and not _is_own(config, workdir):
        return _evaluate_external(config, workdir, results_in)
    external.check_replaces(workdir, results_in)
    source, split = _prepare(config, workdir, FREE | INFERENCE)
    with files.written(workdir):
        return _evaluate_and_report(config, workdir, source, split, results_in)


def _is_own(config: Config, workdir: epath.Path) -> bool:
    """Whether the data folder that is given holds the images of the run itself."""
    if config.data.source == "phantom":  # which no folder holds
        return False
    try:
        return external.is_own(sources.open_source(config.data, os.getcwd()), workdir)
    except UserError:  # its lists are not for these images
        return False


def _evaluate_external(config: Config, workdir: epath.Path, results_in: str) -> dict[str, Any]:
    """Evaluates the best checkpoint on every image of another folder; the run's results stay."""

    def read() -> RecordSource:
        check_same_run(config, workdir, FREE | INFERENCE | external.DATA)
        return open_source(external.of_folder(config))

    source = processes.on_all(read)
    digests = records.digests(source)
    digest = external.digest_of(digests)
    processes.agree("the images", digest)
    facts = {
        "data_dir": config.data.dir,
        "data_digest": digest,
        "images_seen_in_training": external.seen(digests, trained_on(workdir)),
    }
    folder = external.results_folder(workdir, files.locate(config.data.dir), digest, results_in)
    print(f"external test: all {len(source)} images of {config.data.dir}", flush=True)
    with files.written(workdir):
        summary = evaluate(config, workdir, source, tuple(source.ids), folder, facts)
        report = _write_report(workdir, folder) if processes.is_first() else None
    if report:
        print(scores.lines(summary))
        if seen := facts["images_seen_in_training"]:
            print(f"CAUTION: {seen} of these images are among those it was trained on")
        print(f"report: {report}", flush=True)
    return summary


def check_same_run(config: Config, workdir: epath.Path, free: frozenset[str]) -> None:
    """Raises a UserError where `workdir` holds a run with another configuration.

    A run that has no checkpoint yet is no loss: it is begun anew.
    """
    if not configuration.exists(workdir) or not checkpoint.exist(workdir):
        return
    old, new = configuration.fields(workdir), config.flat()
    if changed := differing(old, new, (old.keys() | new.keys()) - free):
        raise UserError(
            f"{workdir} holds a run with another configuration: {', '.join(changed)}; "
            "choose another folder with --workdir, or remove that one"
        )


def _prepare(
    config: Config,
    workdir: epath.Path,
    free: frozenset[str],
    given: tuple[RecordSource, Split] | None = None,
) -> tuple[RecordSource, Split]:
    """Reads, in every process, what the run is made on; nothing is written before all agree."""

    def read() -> tuple[RecordSource, Split]:
        check_same_run(config, workdir, free)
        if given:
            check_same_split(*given, workdir)
            return given
        source = open_source(config)
        return source, _split(config, workdir, source)

    source, split = processes.on_all(read)
    settings = {field: v for field, v in config.flat().items() if field not in PATHS}
    basis = json.dumps([settings, source.name, split.parts()], sort_keys=True)
    processes.agree("the settings or images", basis)
    return source, split


def _save(config: Config, workdir: epath.Path, source: RecordSource, split: Split) -> None:
    """Leaves what the run is made on in its folder."""
    configuration.save(config, workdir)
    splits.save(
        split,
        workdir / splits.FILE,
        source=source.name,
        description=source.description,
        digests=records.digests(source),
    )


def _check_shared(workdir: epath.Path) -> None:
    """What the first process has just written must be there for the others."""
    for _ in range(_SECONDS_TO_APPEAR):
        if configuration.exists(workdir):
            return
        time.sleep(1)  # a network file system remembers for a while that a file was missing
    raise UserError(
        f"--workdir={workdir} is not the same folder in all processes: give one on a file system "
        "that they share"
    )


def check_same_split(source: RecordSource, split: Split, workdir: epath.Path) -> None:
    """Raises a UserError where `workdir` holds a run on other images, or with others to test on."""
    path = workdir / splits.FILE
    if not path.exists() or not checkpoint.exist(workdir):
        return
    _check_same_source(path, source)
    if splits.read(path) != split:
        raise UserError(
            f"{workdir} holds a run on other images, or on another split of them, than the data "
            "found now gives: choose another folder with --workdir, or give that data again"
        )


def open_source(config: Config) -> RecordSource:
    """Opens the images of a configuration and says which they are."""
    source = sources.open_source(config.data, os.getcwd())
    print("\n".join([source.description, *source.remarks]), flush=True)
    if advice := sources.advice(config.data, source):
        print(advice, flush=True)
    return source


def _split(config: Config, workdir: epath.Path, source: RecordSource) -> Split:
    """The split of the run: as saved beside it, else as given, else drawn; checked."""
    path = workdir / splits.FILE
    if path.exists() and checkpoint.exist(workdir):
        _check_same_source(path, source)
        split = splits.read(path)
    else:
        split = splits.first(config.data, source)
    splits.check(split, source.ids, source.groups)
    for part, ids in split.parts().items():
        if not ids and (part != "test" or config.data.test_fraction):
            raise UserError(
                f"the {part} split is empty: set config.data.validation_fraction and "
                "config.data.test_fraction so that each part gets images"
            )
    return split


def _check_same_source(path: epath.Path, source: RecordSource) -> None:
    trained_on = splits.provenance(path).get("source")
    if trained_on != source.name:
        raise UserError(
            f"{path.parent} holds a run on the source {trained_on!r}, but the data found now is "
            f"{source.name!r}: choose another folder with --workdir, or give that data again"
        )


def _evaluate_and_report(
    config: Config,
    workdir: epath.Path,
    source: RecordSource,
    split: Split,
    results_in: str = results.FOLDER,
) -> dict[str, Any]:
    if not split.test:
        fit(config, workdir, source, split.validation)
        print("no test part: nothing was evaluated; busjax unseen tests it on other sets")
        return {}
    summary = evaluate(config, workdir, source, split.test, results_in, validation=split.validation)
    if not processes.is_first():
        return summary
    if results_in == results.FOLDER:
        write_model_card(workdir)
    report = _write_report(workdir, results_in)  # last: it links to all other files
    print(scores.lines(summary))
    print(f"report: {report}", flush=True)
    return summary


def _write_report(workdir: epath.Path, results_in: str) -> epath.Path:
    # Its drawing takes half a second to import, which a run can spend when it has ended.
    from busjax.evaluation.report.run_page import write_report

    return write_report(workdir, results_in)


def labels_of(source: RecordSource, ids: tuple[str, ...]) -> np.ndarray:
    """The classes of these images, (N,) int."""
    chosen = set(ids)
    return source.labels[[id in chosen for id in source.ids]]


def _print_parts(source: RecordSource, split: Split) -> None:
    parts = ", ".join(f"{len(ids)} {part}" for part, ids in split.parts().items())
    print("\n".join([f"images: {parts}", *splits.gaps({0: split}, source)]), flush=True)

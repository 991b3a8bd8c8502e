"""Cross-validation: a folder of runs, one a fold, and the table of them all."""

from __future__ import annotations

import json
from typing import Any

from etils import epath

from busjax import files, processes, run
from busjax.config import FREE, Config
from busjax.data import splits
from busjax.data.records import RecordSource
from busjax.data.splits import Split
from busjax.errors import UserError
from busjax.evaluation import scores, study
from busjax.networks.ensemble import member_folders
from busjax.runs import configuration, lock, results
from busjax.training import monitor


def cross_validate(config: Config, workdir: epath.Path) -> dict[str, Any] | None:
    """Trains and evaluates the folds that `config.cv.only` names; sums up when all are there.

    A fold is a run of its own in `workdir`/fold_<index>. It goes on where it was cut off, and is
    not run again once it is finished; folds may be run in any order and on several machines, which
    leave to each other what is under way.

    Args:
        config: of every fold.
        workdir: folder of the cross-validation, which exists.

    Returns:
        The sums of all folds; None while some are missing, or in another process than the first.

    Raises:
        UserError: the folder holds something else; data, configuration and machine do not fit.
    """

    def prepare() -> tuple[RecordSource, list[Split]]:
        _check_folder(config, workdir)
        source = run.open_source(config)
        drawn = [_draw(config, source, index) for index in range(config.cv.folds)]
        for index, split in enumerate(drawn):
            run.check_same_split(source, split, _folder(workdir, index))
            monitor.check(config.train.monitor, run.labels_of(source, split.validation))
        print("".join(f"{line}\n" for line in splits.gaps(dict(enumerate(drawn)), source)), end="")
        return source, drawn

    source, drawn = processes.on_all(prepare)
    for index in _chosen(config):
        folder = _folder(workdir, index)
        if _is_finished(folder):
            print(f"fold {index} of {config.cv.folds}: finished before, in {folder}", flush=True)
            continue
        print(f"fold {index} of {config.cv.folds}, in {folder}", flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            run.train_and_evaluate(_of_fold(config, index), folder, (source, drawn[index]))
        except lock.Held as error:  # on another machine, which has taken it on: the next one
            print(f"left out: {error}", flush=True)
    return _sum_up(config, workdir) if processes.is_first() else None


def evaluate_folds(config: Config, workdir: epath.Path, results_in: str = results.FOLDER) -> None:
    """Evaluates the folds that `config.cv.only` names again; sums up when all are there.

    Args:
        config: of the cross-validation; fields of the inference may be others. Members of an
            ensemble that are cross-validations themselves take part fold by fold. External tests
            are not summed up: each fold's network sees all of their images.
        workdir: folder of the cross-validation.
        results_in: the folder for the results, within that of each fold.

    Raises:
        UserError: a fold is not there, or was trained otherwise.
    """
    present = study.indices(workdir)
    are_own = True
    for index in _chosen(config) if config.cv.only else present:
        folder = _folder(workdir, index)
        print(f"fold {index} of {config.cv.folds}, in {folder}", flush=True)
        summary = run.evaluate_only(_of_fold(config, index), folder, results_in)
        are_own &= summary["split"] == "test"
    if are_own and processes.is_first():
        _sum_up(config, workdir, results_in)


def _folder(workdir: epath.Path, index: int) -> epath.Path:
    return workdir / study.fold_name(index)


def _chosen(config: Config) -> list[int]:
    return [int(word) for word in config.cv.only.split(",") if word] or list(range(config.cv.folds))


def _of_fold(config: Config, index: int) -> Config:
    """The configuration of one fold, which says which one it is."""
    folders = [files.locate(name) for name in member_folders(config.inference)]
    averaged = ",".join(
        str(_folder(folder, index) if study.is_crossval(folder) else folder) for folder in folders
    )
    return config.but(cv={"only": str(index)}, inference={"members": averaged})


def _draw(config: Config, source: RecordSource, index: int) -> Split:
    split = splits.fold(config.data, source, config.cv.folds, index, config.cv.seed)
    splits.check(split, source.ids, source.groups)
    return split


def _check_folder(config: Config, workdir: epath.Path) -> None:
    """Raises a UserError unless all that is in the folder belongs to this cross-validation."""
    if configuration.exists(workdir):
        raise UserError(
            f"{workdir} holds a single run: choose another folder for the folds with --workdir"
        )
    present = study.indices(workdir)
    if present and present[-1] >= config.cv.folds:
        raise UserError(
            f"{workdir} holds {study.fold_name(present[-1])}, of a cross-validation of more than "
            f"{config.cv.folds} folds: choose another folder with --workdir"
        )
    for index in present:
        run.check_same_run(_of_fold(config, index), _folder(workdir, index), FREE)


def _is_finished(folder: epath.Path, results_in: str = results.FOLDER) -> bool:
    """Whether a fold was evaluated, down to the page that is written last."""
    report = results.report_path(folder, results_in)
    return report.exists() and results.exist(folder, results_in)


def _sum_up(
    config: Config, workdir: epath.Path, results_in: str = results.FOLDER
) -> dict[str, Any] | None:
    folds = range(config.cv.folds)
    missing = [k for k in folds if not _is_finished(_folder(workdir, k), results_in)]
    if missing:
        named = ",".join(map(str, missing))
        print(f"still to run: --config.cv.only={named}", flush=True)
        return None
    tested = study.read(workdir, results_in=results_in)
    summary: dict[str, Any] = scores.summarise(tested)
    path = workdir / f"crossval{results_in.removeprefix(results.FOLDER)}.json"
    files.replace(path, (json.dumps(summary, indent=2) + "\n").encode())
    print(scores.table(tested, summary))
    print(f"cross-validation: {path}", flush=True)
    return summary

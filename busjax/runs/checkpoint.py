"""Checkpoints by Orbax: the latest, to go on from, and the best on validation, to evaluate."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from etils import epath

from busjax import files, flat, processes
from busjax.config import FREE, INFERENCE, Config, differing
from busjax.errors import UserError
from busjax.files import PathLike
from busjax.runs import checksums

FOLDER = "checkpoints"
CONFIG = "config"
"""Entry of the data of a checkpoint: every field of the run that wrote it, by its dotted name."""

_SCORE = "score"
_EVALUATED = "evaluated"
# Sections that shape what is saved, but for what may be another at every start.
_OF_NETWORK = ("model.",)
_OF_STATE = ("model.", "optim.")
NOT_OF_NETWORK = FREE | INFERENCE | {"model.encoder_weights"}
"""Fields that may be others where a checkpoint is read than where it was written."""

_UNFINISHED = ".orbax-checkpoint-tmp"
_FINISHED = "_CHECKPOINT_METADATA"  # last of all Orbax writes the time into it


def exist(workdir: PathLike) -> bool:
    """Whether a run has got as far as a checkpoint."""
    return bool(_steps(epath.Path(workdir) / FOLDER))


class Checkpoints:
    """The checkpoints of one run, written in the background: the latest two, and the best.

    A checkpoint is the train state, the variables that evaluation uses, the position in the data
    (JSON) and the validation score. It counts once the checksums of its files are written, and as
    long as they hold; older ones are removed after that. Damaged ones are named, and put aside
    unless nothing may be written.

    Raises:
        UserError: there are checkpoints, and all of them are damaged.
    """

    def __init__(self, workdir: PathLike, read_only: bool = False) -> None:
        folder = epath.Path(workdir) / FOLDER
        local = not files.is_remote(folder)
        self._folder = epath.Path(os.path.abspath(folder)) if local else folder
        whole = _whole(self._folder, read_only)
        # The score of each step; None: it has none.
        self._scores = {step: _read_score(self._folder / str(step)) for step in whole}
        self._saving: int | None = None
        self._reader = ocp.Checkpointer(ocp.CompositeCheckpointHandler())
        self._manager = None if read_only else self._open()

    def _open(self) -> ocp.CheckpointManager:
        policies = ocp.checkpoint_managers
        best = policies.BestN(
            get_metric_fn=lambda metrics: metrics[_SCORE],
            reverse=False,
            n=1,
            keep_checkpoints_without_metrics=False,
        )
        options = ocp.CheckpointManagerOptions(
            # Of two latest ones, one is left when the other is damaged.
            preservation_policy=policies.AnyPreservationPolicy([policies.LatestN(2), best]),
            best_fn=lambda metrics: metrics[_SCORE],
            cleanup_tmp_directories=True,
            # Called in the first process, before the folder counts and older ones are removed.
            async_options=ocp.AsyncOptions(post_finalization_callback=self._seal),
        )
        return ocp.CheckpointManager(self._folder, options=options)

    def _seal(self) -> None:
        """Writes the checksums into a folder that has all its files, but not its name yet."""
        unnamed = self._folder / f"{self._saving}{_UNFINISHED}"
        # In a bucket it has its name from the start, and a file in it at the end.
        folder = unnamed if unnamed.exists() else self._folder / str(self._saving)
        checksums.write(folder, but=_FINISHED)

    def close(self) -> None:
        """Waits until all is written, and ends the threads."""
        if self._manager is not None:
            self._manager.close()
        self._reader.close()

    def save(
        self, step: int, state: Any, evaluated: Any, data: dict[str, Any], score: float | None
    ) -> None:
        """Starts writing a checkpoint; the state may be donated right after.

        One without a score is gone on from, but never evaluated.

        Args:
            state: to go on from.
            evaluated: variables, as numpy arrays: all that an evaluation reads.
        """
        if self._manager is None:
            raise ValueError("opened to be read only")
        self._manager.wait_until_finished()
        self._saving = step
        self._manager.save(
            step,
            args=ocp.args.Composite(
                state=ocp.args.StandardSave(state),
                evaluated=ocp.args.StandardSave(evaluated),
                data=ocp.args.JsonSave(data),
            ),
            metrics=None if score is None else {_SCORE: score},
        )
        self._scores[step] = score

    def latest_step(self) -> int | None:
        """The step to go on from; None at the start of a run."""
        return max(self._scores, default=None)

    def best_step(self) -> int | None:
        """The step with the highest validation score; None before the first checkpoint."""
        scored = {step: score for step, score in self._scores.items() if score is not None}
        return max(scored, key=lambda step: (scored[step], step), default=None)

    def restore(
        self, step: int, target: Any, config: Config | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reads the state and the data position of a step.

        Args:
            target: a state of the same structure; its shardings are those of the result.
            config: of the run that asks; None: nothing is known of it.

        Raises:
            UserError: the checkpoint belongs to another network.
        """
        abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, target)
        with self._of_network(step, config, _OF_STATE) as (path, data):
            if (path / _EVALUATED).exists():
                return self._read(path, state=ocp.args.StandardRestore(abstract))["state"], data
            # An earlier version saved every tensor by itself.
            whole = self._read(path, state=ocp.args.StandardRestore(flat.abstract_tree(abstract)))
            laid_out = flat.like(abstract, jax.device_get(whole["state"]))
            return jax.tree.map(_put, laid_out, abstract), data

    def restore_evaluated(
        self, step: int, config: Config | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reads the variables that evaluation uses, as numpy arrays, and the data position.

        Raises:
            UserError: the checkpoint belongs to another network.
        """
        with self._of_network(step, config, _OF_NETWORK) as (path, data):
            if (path / _EVALUATED).exists():
                return self._read_arrays(path, _EVALUATED), data
            state = self._read_arrays(path, "state")  # of an earlier version
            params = state.get("ema") or state["params"]["network"]
            return {"params": params, "batch_stats": state["batch_stats"]}, data

    @contextlib.contextmanager
    def _of_network(
        self, step: int, config: Config | None, sections: tuple[str, ...]
    ) -> Iterator[tuple[epath.Path, dict[str, Any]]]:
        """The folder of a step and its data; what fails to fit becomes a UserError."""
        path = self._folder / str(step)
        try:
            data = self._read(path, data=ocp.args.JsonRestore())["data"]
            _check_same_fields(path, data.get(CONFIG), config, sections)
            yield path, data
        except (ValueError, KeyError, FileNotFoundError) as error:
            reason = " ".join(str(error).split())[:300]
            raise UserError(
                f"checkpoint {path} cannot be restored into this network: use the configuration "
                f"that it was trained with ({reason})"
            ) from error

    def _read(self, path: epath.Path, **args: Any) -> Any:
        return self._reader.restore(path, args=ocp.args.Composite(**args))

    def _read_arrays(self, path: epath.Path, item: str) -> Any:
        """A tree as it was saved, every leaf a numpy array, whatever the devices are here."""
        tree = ocp.PyTreeCheckpointHandler().metadata(path / item).tree
        kinds = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), tree)
        return self._read(path, **{item: ocp.args.PyTreeRestore(restore_args=kinds)})[item]


def restore_best(
    workdir: PathLike, config: Config | None = None
) -> tuple[int, Any, dict[str, Any]]:
    """Reads the best checkpoint of a run: its step, the evaluated variables and the data position.

    Nothing is written, not even the remains of a kill tidied up.

    Args:
        workdir: folder of the run.
        config: as for `Checkpoints.restore`.

    Raises:
        UserError: there is no whole checkpoint, or it belongs to another network.
    """
    if exist(workdir):  # Orbax would make the folder
        with contextlib.closing(Checkpoints(workdir, read_only=True)) as checkpoints:
            step = checkpoints.best_step()
            if step is not None:
                return step, *checkpoints.restore_evaluated(step, config)
    raise UserError(f"{workdir} holds no checkpoint: train first (--mode=train)")


def _put(value: np.ndarray, target: jax.ShapeDtypeStruct) -> jax.Array:
    return jax.device_put(value, target.sharding)


def _check_same_fields(
    path: epath.Path,
    saved: Mapping[str, Any] | None,
    config: Config | None,
    sections: tuple[str, ...],
) -> None:
    """Raises a UserError where fields of these sections differ; an earlier version kept none."""
    if saved is None or config is None:
        return
    asked = config.flat()
    names = {name for name in asked.keys() & saved.keys() if name.startswith(sections)}
    if changed := differing(saved, asked, names - NOT_OF_NETWORK):
        raise UserError(f"checkpoint {path} is of another configuration: {', '.join(changed)}")


def _steps(folder: epath.Path) -> list[int]:
    """Of the checkpoints in a folder, whole or not, in ascending order."""
    if not folder.is_dir():
        return []
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdigit())


def _whole(folder: epath.Path, read_only: bool) -> list[int]:
    """The steps of the whole checkpoints, the same in all processes; tells of the others."""

    def check() -> list[int]:
        if not processes.is_first():
            return []
        damaged = _damaged(folder)
        for step, reason in damaged.items():
            print(f"busjax: checkpoint {folder / str(step)} is damaged: {reason}", file=sys.stderr)
        left = [step for step in _steps(folder) if step not in damaged]
        if damaged and not left:
            raise UserError(
                f"no checkpoint in {folder} is whole: bring one back from a copy, or remove the "
                "folder to train anew"
            )
        if not read_only:
            _tidy(folder, left, list(damaged))
        return left

    return json.loads(processes.of_first(json.dumps(processes.on_all(check))))


def _damaged(folder: epath.Path) -> dict[int, str]:
    """What is wrong with the checkpoints that are not whole, by step.

    Where none has checksums, they are those of an earlier version: what Orbax finished counts.
    """
    steps = {step: folder / str(step) for step in _steps(folder)}
    if any(checksums.exist(path) for path in steps.values()):
        damage = {step: checksums.damage(path) for step, path in steps.items()}
    else:
        finished = {step: (path / _FINISHED).exists() for step, path in steps.items()}
        damage = {
            step: None if finished[step] else "it was not written to its end" for step in steps
        }
    return {step: reason for step, reason in damage.items() if reason}


def _tidy(folder: epath.Path, whole: list[int], damaged: list[int]) -> None:
    """Makes room for what will be saved again, and checksums of an earlier version good."""
    for step in damaged:
        path, aside = folder / str(step), folder / f"damaged_{step}"
        if aside.exists():
            aside.rmtree()
        if files.is_remote(folder):  # a bucket knows no renaming of folders
            path.rmtree()
        else:
            path.rename(aside)
    for step in whole:
        if not checksums.exist(folder / str(step)):
            checksums.write(folder / str(step), but=_FINISHED)


def _read_score(folder: epath.Path) -> float | None:
    path = folder / "metrics" / "metrics"
    return json.loads(path.read_text())[_SCORE] if path.exists() else None

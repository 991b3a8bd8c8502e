"""Checkpoints by Orbax: the latest, to go on from, and the best on validation, to evaluate."""

from __future__ import annotations

import contextlib
from typing import Any

import jax
import orbax.checkpoint as ocp
from etils import epath

from busjax import files
from busjax.errors import UserError
from busjax.files import PathLike
from busjax.logs import without_warnings

FOLDER = "checkpoints"
_SCORE = "score"


def exist(workdir: PathLike) -> bool:
    """Whether a run has got as far as a checkpoint."""
    folder = epath.Path(workdir) / FOLDER
    return folder.is_dir() and any(path.name.isdigit() for path in folder.iterdir())


class Checkpoints:
    """The checkpoints of one run, written in the background.

    A checkpoint is the train state, the position in the data (JSON) and the validation score. A
    write that was cut short leaves nothing that is taken for a checkpoint.
    """

    def __init__(self, workdir: PathLike, read_only: bool = False) -> None:
        policies = ocp.checkpoint_managers
        folder = epath.Path(workdir) / FOLDER
        self._manager = ocp.CheckpointManager(
            (folder if files.is_remote(folder) else folder.absolute()),
            options=ocp.CheckpointManagerOptions(
                preservation_policy=policies.AnyPreservationPolicy(
                    [
                        policies.LatestN(1),
                        policies.BestN(get_metric_fn=lambda m: m[_SCORE], reverse=False, n=1),
                    ]
                ),
                best_fn=lambda metrics: metrics[_SCORE],
                cleanup_tmp_directories=not read_only,
                enable_async_checkpointing=not read_only,
                read_only=read_only,
            ),
        )

    def close(self) -> None:
        """Waits until all is written, and ends the threads."""
        self._manager.close()

    def save(self, step: int, state: Any, data: dict[str, Any], score: float) -> None:
        """Starts writing a checkpoint; the state may be donated right after."""
        self._manager.save(
            step,
            args=ocp.args.Composite(
                state=ocp.args.StandardSave(state), data=ocp.args.JsonSave(data)
            ),
            metrics={_SCORE: score},
        )

    def latest_step(self) -> int | None:
        """The step to go on from; None at the start of a run."""
        return self._manager.latest_step()

    def best_step(self) -> int | None:
        """The step with the highest validation score; None before the first checkpoint."""
        return self._manager.best_step()

    def restore(self, step: int, target: Any) -> tuple[Any, dict[str, Any]]:
        """Reads the state and the data position of a step.

        Args:
            target: a state of the same structure; its shardings are those of the result.

        Raises:
            UserError: the checkpoint belongs to another network, or is damaged.
        """
        abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, target)
        try:
            restored = self._manager.restore(
                step,
                args=ocp.args.Composite(
                    state=ocp.args.StandardRestore(abstract), data=ocp.args.JsonRestore()
                ),
            )
        except (ValueError, KeyError, FileNotFoundError) as error:
            reason = " ".join(str(error).split())[:300]
            raise UserError(
                f"checkpoint {self._manager.directory / str(step)} cannot be restored into this "
                f"network: use the configuration that it was trained with ({reason})"
            ) from error
        return restored["state"], restored["data"]


def restore_best(
    workdir: PathLike, target: Any, read_only: bool = True
) -> tuple[int, Any, dict[str, Any]]:
    """Reads the best checkpoint of a run: its step, the state and the data position.

    Args:
        workdir: folder of the run.
        target: as for `Checkpoints.restore`.
        read_only: nothing is written, not even the remains of a kill tidied up.

    Raises:
        UserError: there is no checkpoint, or it belongs to another network.
    """
    if exist(workdir):  # Orbax would make the folder
        # Orbax warns of a folder that is opened to be read.
        with (
            without_warnings() if read_only else contextlib.nullcontext(),
            contextlib.closing(Checkpoints(workdir, read_only)) as checkpoints,
        ):
            step = checkpoints.best_step()
            if step is not None:
                return step, *checkpoints.restore(step, target)
    raise UserError(f"{workdir} holds no checkpoint: train first (--mode=train)")

"""Where a network is: a run, a folder that was handed over, or the name of a packaged one."""

from __future__ import annotations

from etils import epath

from busjax.config import Config
from busjax.errors import UserError
from busjax.files import PathLike, locate
from busjax.networks import of_run, packaged, portable
from busjax.networks.trained import Trained, TrainedOn
from busjax.runs import checksums, configuration


def find(place: PathLike) -> epath.Path:
    """The folder of a network; a packaged name comes before a folder of that name ('./NAME').

    Raises:
        UserError: there is no network.
    """
    if not str(place):
        raise UserError("a network has no name: give a folder, or the name of a packaged one")
    if str(place) in packaged.names():
        return epath.Path(packaged.FOLDER / str(place))
    folder = locate(place)
    if portable.exists(folder) or configuration.exists(folder):
        return folder
    names = ", ".join(packaged.names())
    others = f"; packaged ones: {names}" if names else ""
    raise UserError(f"{place} holds no run and no network{others}")


def open_network(place: PathLike, config: Config | None = None) -> Trained:
    """Reads a trained network.

    Args:
        place: the folder of a run, a folder that was handed over, or the name of a packaged one.
        config: that asks; fields of the network must agree.

    Raises:
        UserError: there is none, it is damaged, or it is another one.
    """
    folder = find(place)
    return (portable if portable.exists(folder) else of_run).read(folder, config)


def settings(place: PathLike) -> Config:
    """What a network was trained with; raises as `open_network`."""
    folder = find(place)
    if portable.exists(folder) and checksums.exist(folder):
        portable.check_whole(folder)
    return configuration.read(folder)


def trained_on(place: PathLike) -> TrainedOn:
    """The images that a network was trained on; raises as `open_network`."""
    folder = find(place)
    return (portable if portable.exists(folder) else of_run).trained_on(folder)

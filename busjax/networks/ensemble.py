"""The other members of an ensemble: networks that are averaged with a network."""

from __future__ import annotations

from collections.abc import Iterable

from busjax import files
from busjax.config import FREE, Config, Inference, differing
from busjax.errors import UserError
from busjax.files import PathLike
from busjax.networks.places import open_network, settings
from busjax.networks.trained import Trained

# Fields of a network that do not change its variables, nor what they mean.
_ANY = FREE | {"model.refine", "model.encoder_weights", "model.encoder_norms", "model.dropout",
               "model.classifier_dropout", "model.deep_supervision",
               "model.batch_norm_momentum"}  # fmt: skip


def member_folders(inference: Inference) -> list[str]:
    """The networks that `config.inference.members` names: runs, or as `places.find` takes them."""
    return [name for name in files.several(inference.members) if name]


def members(config: Config, places: Iterable[PathLike]) -> list[Trained]:
    """Networks to be averaged with that of this configuration.

    Raises:
        UserError: one is no network, or of another kind.
    """
    opened = []
    for place in places:
        _check_same_network(config, place)
        opened.append(open_network(place))
    return opened


def _check_same_network(config: Config, place: PathLike) -> None:
    """Raises a UserError unless it is the same network, for images of the same size."""
    ours, theirs = config.flat(), settings(place).flat()
    names = {name for name in ours if name.startswith("model.")} | {"data.image_size", "data.fit"}
    if changed := differing(theirs, ours, names - _ANY):
        raise UserError(
            f"'{place}' cannot be averaged with this run: {', '.join(changed)}; average networks "
            "of one kind"
        )

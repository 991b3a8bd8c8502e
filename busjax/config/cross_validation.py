"""Cross-validation: `--mode=crossval`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from busjax.config.rules import Indices, Whole
from busjax.config.section import Section, setting


class CrossValidation(Section):
    PLACE: ClassVar[str] = "cv."

    folds: int = setting(Whole(2), "of --mode=crossval; each is the test set once", default=5)
    seed: int = setting(Whole(0), "another seed, other folds", default=0)
    only: str = setting(Indices(), "folds to run, such as '2' or '0,3'; '': all", default="")

    def contradictions(self) -> Iterator[str]:
        beyond = [word for word in self.only.split(",") if word and int(word) >= self.folds]
        if beyond:
            yield (
                f"config.cv.only={self.only!r}: of {self.folds} folds the last is "
                f"{self.folds - 1}, so there is no fold {beyond[0]}"
            )

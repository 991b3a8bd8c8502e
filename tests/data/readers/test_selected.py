"""Groups of a list joined to those of a source, and their names."""

import dataclasses

import numpy as np

from busjax.data.readers.phantom import PhantomSource
from busjax.data.readers.selected import SelectedSource


class Named:
    """Five phantoms under names and groups of our own."""

    def __init__(self, groups):
        self._source, self.name, self.description = PhantomSource(5, 0, 16), "set", "five"
        self.remarks = ()
        self.ids, self.groups, self.labels = tuple("abcde"), tuple(groups), np.arange(5) % 3

    def __len__(self):
        return 5

    def __getitem__(self, index):
        return dataclasses.replace(
            self._source[index], id=self.ids[index], group=self.groups[index]
        )


def test_a_list_names_the_groups_of_images_that_had_none():
    found = SelectedSource(Named("abcde"), "abde", {"b": "first", "d": "first", "e": "e"})
    assert found.ids == ("a", "b", "d", "e")
    assert found.groups == ("a", "first", "first", "e")
    assert found[2].group == "first"
    assert found.labels.tolist() == [0, 1, 0, 1]
    assert found.description == "five, 1 of them left out by the audit"


def test_groups_that_share_an_image_are_one():
    """Cases X (a, b) and Y (c, d); the list links b and c: one group of the four."""
    found = SelectedSource(Named(["X", "X", "Y", "Y", "e"]), "abcde", {"b": "one", "c": "one"})
    assert len(set(found.groups[:4])) == 1
    assert found.groups[0] in ("X", "Y")
    assert found.groups[4] == "e"
    assert found.description == "five"

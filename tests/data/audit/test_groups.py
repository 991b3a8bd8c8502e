"""Groups from pairs, and the last word of a person."""

import numpy as np
import pytest

from busjax.data.audit import groups, overrides
from busjax.data.audit.alignment import Match
from busjax.data.audit.overrides import Overrides
from busjax.data.audit.pairs import Pair
from busjax.errors import UserError

IDS = tuple("abcdefg")
HEAD = "action,one,other\n"


def pair(one, other, inliers=50):
    return Pair(one, other, False, Match(inliers, 0.9, 1.0, np.eye(2, 3)))


def members(found, decided=Overrides()):  # noqa: B008  (it is frozen)
    joined = groups.join(IDS, found, decided)
    return ["".join(IDS[index] for index in group.members) for group in joined]


def test_what_shares_an_image_is_one_group():
    found = [pair(0, 1), pair(3, 4), pair(1, 2)]
    assert members(found) == ["abc", "de"]
    first, second = groups.join(IDS, found, Overrides())
    assert first.pairs == (found[0], found[2])
    assert second.pairs == (found[1],)
    assert members([]) == []


def test_a_person_joins_parts_and_drops():
    found = [pair(0, 1), pair(1, 2), pair(3, 4)]
    assert members(found, Overrides(joined=(("c", "d"),))) == ["abcde"]
    assert members(found, Overrides(joined=(("f", "g"),))) == ["abc", "de", "fg"]
    assert members(found, Overrides(dropped=("b",))) == ["de"]
    assert members(found, Overrides(dropped=("g",))) == ["abc", "de"]


def test_of_a_chain_whose_ends_are_parted_the_surest_pair_stays():
    found = [pair(0, 1, 20), pair(1, 2, 90)]
    assert members(found, Overrides(parted=(("a", "c"),))) == ["bc"]
    assert members(found, Overrides(parted=(("b", "c"),))) == ["ab"]


def test_joined_and_parted_by_a_detour():
    decided = Overrides(joined=(("a", "b"), ("b", "c")), parted=(("a", "c"),))
    with pytest.raises(UserError, match="join b and c, and part two images that this brings"):
        members([], decided)


def test_overrides_are_read(tmp_path):
    path = tmp_path / "o.csv"
    path.write_bytes(b"\xef\xbb\xbfaction,one,other\r\njoin,b,a\r\n\r\npart, c ,d\r\ndrop,e,\r\n")
    found = overrides.read(path, IDS)
    assert found == Overrides((("a", "b"),), (("c", "d"),), ("e",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a first line 'action,one,other'"),
        ("one,other\na,b\n", "expected a first line"),
        (f"{HEAD}unite,a,b\n", r"line 2 is 'unite,a,b'"),
        (f"{HEAD}join,a,\n", r"line 2 is 'join,a,'"),
        (f"{HEAD}join,a,a\n", r"line 2 is 'join,a,a'"),
        (f"{HEAD}drop,a,b\n", r"line 2 is 'drop,a,b'"),
        (f"{HEAD}join,a,b\npart,b,z\n", "line 3: there is no image 'z'"),
        (f"{HEAD}join,a,b\npart,b,a\n", "both joins and parts a and b"),
    ],
)
def test_overrides_that_are_wrong(tmp_path, text, message):
    path = tmp_path / "o.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        overrides.read(path, IDS)


def test_no_overrides(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        overrides.read(tmp_path / "gone.csv", IDS)
    (tmp_path / "o.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="cannot be read"):
        overrides.read(tmp_path / "o.csv", IDS)

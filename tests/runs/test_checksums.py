"""Checksums: every way in which a file can be damaged is named, and nothing else is."""

import pytest
from etils import epath

from busjax.runs import checksums


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "inner" / "deep").mkdir(parents=True)
    (tmp_path / "a").write_bytes(b"first")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "inner" / "deep" / "b").write_bytes(bytes(range(256)) * 40)
    checksums.write(epath.Path(tmp_path))
    return epath.Path(tmp_path)


def test_an_untouched_folder_is_whole_wherever_it_lies(folder, tmp_path_factory):
    assert checksums.damage(folder) is None
    moved = epath.Path(tmp_path_factory.mktemp("moved")) / "there"
    folder.rename(moved)
    assert checksums.damage(moved) is None


@pytest.mark.parametrize("name", ["a", "empty", "inner/deep/b"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    assert checksums.damage(folder) == f"{name} is missing"


@pytest.mark.parametrize("position", [0, 5000, -1])
def test_one_flipped_bit_is_named(folder, position):
    content = bytearray((folder / "inner/deep/b").read_bytes())
    content[position] ^= 1
    (folder / "inner/deep/b").write_bytes(content)
    assert checksums.damage(folder) == "inner/deep/b is not as it was written"


@pytest.mark.parametrize("name", ["a", "inner/deep/b"])
def test_a_file_that_was_cut_short_or_went_on_is_named(folder, name):
    whole = (folder / name).read_bytes()
    for content in (whole[:-1], b"", whole + b"\0"):
        (folder / name).write_bytes(content)
        assert checksums.damage(folder) == f"{name} is not as it was written"


def test_a_folder_that_was_not_written_to_its_end(folder):
    (folder / checksums.FILE).unlink()
    assert "not written to its end" in checksums.damage(folder)
    assert not checksums.exist(folder)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"sha256": 3}', '{"sha1": {}}'])
def test_checksums_that_are_damaged_themselves(folder, content):
    (folder / checksums.FILE).write_text(content)
    assert checksums.damage(folder) == "its checksums.json cannot be read"


def test_another_file_beside_them_is_no_damage(folder):
    (folder / ".DS_Store").write_bytes(b"of a file manager")
    assert checksums.damage(folder) is None


def test_a_file_that_still_changes_can_be_left_out(folder):
    checksums.write(folder, but="a")
    (folder / "a").write_bytes(b"later")
    assert checksums.damage(folder) is None

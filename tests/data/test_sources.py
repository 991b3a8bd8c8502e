import numpy as np
import pytest
from PIL import Image

from busjax.config import FIELDS, Data
from busjax.data import curated, sources
from busjax.data.curation import Curation
from busjax.data.sources import READERS, open_source
from busjax.errors import UserError

LETTER = """ID;Filename;Objection;Annotation
{1&2};{benign (1)&benign (2)};;
438;malignant (1);;
648;normal (1);axilla;
"""
KEPT = "class;id\nbenign;1\nbenign;2\nmalignant;1\n"


def write_busi(root):
    """Writes two benign, one malignant and one normal image."""
    grey = Image.fromarray(np.full((8, 8), 90, np.uint8))
    white = Image.fromarray(np.full((8, 8), 255, np.uint8))
    for name in ("benign (1)", "benign (2)", "malignant (1)", "normal (1)"):
        folder = root / name.split()[0]
        folder.mkdir(parents=True, exist_ok=True)
        grey.save(folder / f"{name}.png")
        if folder.name != "normal":
            white.save(folder / f"{name}_mask.png")
    return root


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    monkeypatch.delenv("BUSI_DIR", raising=False)


def data(**fields):
    return Data(phantom_count=6, image_size=32, **fields)


@pytest.mark.parametrize("source", ["auto", "busi"])
def test_finds_busi_in_each_place(tmp_path, monkeypatch, source):
    by_default = write_busi(tmp_path / "data/Dataset_BUSI_with_GT")
    assert len(open_source(data(source=source), tmp_path)) == 4

    by_environment = write_busi(tmp_path / "elsewhere")
    (by_environment / "normal/normal (2).png").write_bytes(
        (by_environment / "normal/normal (1).png").read_bytes()
    )
    monkeypatch.setenv("BUSI_DIR", str(by_environment))
    assert len(open_source(data(source=source), tmp_path)) == 5

    monkeypatch.setenv("BUSI_DIR", "nowhere")
    given = by_default.relative_to(tmp_path)  # a relative path is one below the working directory
    found = open_source(data(source=source, dir=str(given)), tmp_path)
    assert found.name == "busi"
    assert found.description == "BUSI: 4 images (2 benign, 1 malignant, 1 normal)"


def test_phantoms_where_nothing_is_found(tmp_path):
    source = open_source(data(), tmp_path)
    assert source.name == "phantom"
    assert len(source) == 6
    assert source[0].image.shape == (32, 32)
    for words in ("phantom", "not BUSI", "no patients"):
        assert words in source.description
    assert "--config" not in source.description  # it stands on every page of the run
    advice = sources.advice(data(), source)
    for words in ("no BUSI data was found", "--config.data.dir", "BUSI_DIR"):
        assert words in advice
    assert "\n" not in source.description + advice


def test_phantoms_where_they_are_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("BUSI_DIR", str(write_busi(tmp_path)))
    source = open_source(data(source="phantom", curation="absent.csv"), tmp_path)
    assert source.name == "phantom"
    assert sources.advice(data(source="phantom"), source) == ""


@pytest.mark.parametrize("source", ["auto", "busi"])
def test_a_given_folder_that_is_not_busi_is_an_error(tmp_path, monkeypatch, source):
    write_busi(tmp_path / "data/Dataset_BUSI_with_GT")
    with pytest.raises(UserError, match=r"'.*/wrong' does not exist"):
        open_source(data(source=source, dir="wrong"), tmp_path)
    monkeypatch.setenv("BUSI_DIR", str(tmp_path / "wrong"))
    with pytest.raises(UserError, match=r"'.*/wrong' does not exist"):
        open_source(data(source=source), tmp_path)


def test_an_empty_folder_in_the_usual_place_is_an_error(tmp_path):
    (tmp_path / "data/Dataset_BUSI_with_GT").mkdir(parents=True)
    with pytest.raises(UserError, match="no BUSI folder"):
        open_source(data(), tmp_path)


def test_busi_or_nothing(tmp_path):
    with pytest.raises(UserError, match=r"No BUSI data found: .*--config.data.dir"):
        open_source(data(source="busi"), tmp_path)


def test_on_bad_is_passed_on(tmp_path):
    write_busi(tmp_path / "busi")
    (tmp_path / "busi/benign/benign (2)_mask.png").unlink()
    with pytest.raises(UserError, match="mask is missing"):
        open_source(data(dir="busi"), tmp_path)
    assert len(open_source(data(dir="busi", on_bad="skip"), tmp_path)) == 3


def test_curation_and_groups(tmp_path):
    write_busi(tmp_path / "busi")
    (tmp_path / "letter.csv").write_text(LETTER)
    (tmp_path / "kept.csv").write_text(KEPT)

    def opened(**fields):
        source = open_source(data(dir="busi", **fields), tmp_path)
        return list(zip(source.ids, source.groups, strict=True))

    benign_1, malignant_1 = ("benign (1)", "benign (1)"), ("malignant (1)", "malignant (1)")
    alone, paired = ("benign (2)", "benign (2)"), ("benign (2)", "benign (1)")
    normal_1 = ("normal (1)", "normal (1)")
    assert opened() == [benign_1, alone, malignant_1, normal_1]
    assert opened(groups="letter.csv") == [benign_1, paired, malignant_1, normal_1]
    assert opened(curation="letter.csv") == [benign_1, malignant_1]
    assert opened(curation="kept.csv") == [benign_1, alone, malignant_1]
    assert opened(curation="kept.csv", groups="letter.csv") == [benign_1, paired, malignant_1]
    with pytest.raises(UserError, match="a list without groups"):
        opened(groups="kept.csv")


def test_groups_come_from_the_curation_where_it_has_some(tmp_path, monkeypatch):
    write_busi(tmp_path / "busi")
    pair = frozenset({"benign (1)", "benign (2)"})
    monkeypatch.setattr(curated, "read_list", lambda _: Curation(pair, dict.fromkeys(pair, "one")))
    assert open_source(data(dir="busi", curation="list.csv"), tmp_path).groups == ("one", "one")


def test_a_reader_for_every_choice():
    assert set(FIELDS["data.source"].choices) == set(READERS)


@pytest.mark.parametrize("fields", [{"curation": "kept.csv"}, {"groups": "letter.csv"}])
def test_curation_without_busi_is_an_error(tmp_path, fields):
    with pytest.raises(UserError, match="are for BUSI, but no BUSI data was found"):
        open_source(data(**fields), tmp_path)

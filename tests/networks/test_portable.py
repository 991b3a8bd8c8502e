"""A network that is handed over says what its run says, names nobody, and shows every change."""

import json
import pickle
import shutil

import chex
import jax
import numpy as np
import pytest
from etils import epath

import busjax
from busjax import run
from busjax.config import Train
from busjax.data import splits
from busjax.errors import UserError
from busjax.inference.export.__main__ import main as export
from busjax.inference.export.convert import export as convert
from busjax.networks import ensemble, packaged, places, portable, tensors
from busjax.runs import checksums, configuration
from busjax.training import initialization


@pytest.fixture(scope="module")
def handed(run_folder, tmp_path_factory):
    """The small run as a folder, not to be written to."""
    out = tmp_path_factory.mktemp("handed") / "network"
    assert export([f"--workdir={run_folder}", "--format=folder", f"--out={out}"]) == 0
    return epath.Path(out)


@pytest.fixture
def copy(handed, tmp_path):
    return epath.Path(shutil.copytree(handed, tmp_path / "copy"))


@pytest.fixture
def images(rng):
    return [rng.integers(256, size=shape, dtype=np.uint8) for shape in ((20, 30), (16, 16))]


def test_what_is_read_is_what_was_written(run_folder, handed):
    ours, theirs = places.open_network(run_folder), places.open_network(handed)
    chex.assert_trees_all_equal(ours.variables, theirs.variables)
    assert theirs.config == ours.config
    assert (theirs.step, theirs.epoch) == (ours.step, ours.epoch)
    assert theirs.fitted == ours.fitted
    assert theirs.trained_on == ours.trained_on
    assert theirs.digest == ours.digest
    assert len(ours.trained_on.digests["train"]) == len(
        splits.read(run_folder / "split.json").train
    )


def test_it_reads_images_as_the_run_does(run_folder, handed, images):
    ours, theirs = busjax.load(run_folder)(images), busjax.load(handed)(images)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one.mask_probability, other.mask_probability)
        assert one.doubt == other.doubt
        assert one.doubt.distance is not None
        np.testing.assert_array_equal(one.class_probabilities, other.class_probabilities)


def test_model_json_says_what_a_user_needs(run_folder, handed):
    told = json.loads((handed / "model.json").read_text())
    assert told["classes"] == ["benign", "malignant", "normal"]
    assert (told["image_size"], told["image_channels"]) == (16, 1)
    assert told["trained_on"]["source"] == "phantom"
    assert told["trained_on"]["counts"] == {
        part: len(ids) for part, ids in splits.read(run_folder / "split.json").parts().items()
    }
    summary = json.loads((run_folder / "evaluation/summary.json").read_text())
    assert told["scores"]["values"]["accuracy"] == pytest.approx(summary["accuracy"])
    low, high = told["scores"]["interval_95"]["accuracy"]
    assert low <= summary["accuracy"] <= high
    assert told["licence"] is None
    assert (handed / "MODEL_CARD.md").read_bytes() == (run_folder / "MODEL_CARD.md").read_bytes()


def test_it_names_no_image_and_no_folder(run_folder, handed):
    content = b"".join(path.read_bytes() for path in handed.iterdir())
    for ids in splits.read(run_folder / "split.json").parts().values():
        assert ids
        for id in ids:
            assert id.encode() not in content
    assert str(run_folder).encode() not in content


def test_private_fields_stay_behind(run_folder, tmp_path):
    secret = str(tmp_path / "patients")
    trained = places.open_network(run_folder)
    config = trained.config.but(data={"dir": secret, "groups": f"{secret}.csv"})
    given = type(trained)(**{**vars(trained), "config": config})
    portable.write(epath.Path(tmp_path / "n"), given, {}, "")
    assert secret not in (tmp_path / "n" / "model.json").read_text()
    assert places.open_network(tmp_path / "n").config.data.dir == ""


@pytest.mark.parametrize("name", ["model.safetensors", "model.json", "MODEL_CARD.md"])
def test_a_changed_byte_is_an_error(copy, name):
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(bytes(content))
    with pytest.raises(UserError, match=rf"{name} is not as it was written"):
        busjax.load(copy)


@pytest.mark.parametrize("name", ["model.safetensors", "MODEL_CARD.md", checksums.FILE])
def test_a_missing_file_is_an_error(copy, name):
    (copy / name).unlink()
    with pytest.raises(UserError, match=r"is damaged: .*(is missing|has no checksums)"):
        busjax.load(copy)


def test_half_precision_is_half_the_size(run_folder, handed, tmp_path, capsys, images):
    out = tmp_path / "half"
    words = [f"--workdir={run_folder}", "--format=folder", f"--out={out}", "--dtype=float16"]
    notes = tmp_path / "notes.md"
    notes.write_text("## Licences\n\nÜbung\n", encoding="utf-8")
    assert export([*words, "--licence=CC BY 4.0", f"--notes={notes}"]) == 0
    told = float(capsys.readouterr().out.rpartition("by ")[2].split()[0])
    assert 0 < told < 1e-2
    whole, half = ((path / "model.safetensors").stat().length for path in (handed, epath.Path(out)))
    assert half < 0.75 * whole  # of a small network, with many norms
    assert json.loads((out / "model.json").read_text())["licence"] == "CC BY 4.0"
    told = json.loads((out / "model.json").read_text())
    assert told["weights"]["digest"] == places.open_network(out).digest
    again = tmp_path / "again"
    assert export([f"--network={out}", "--format=folder", f"--out={again}"]) == 0
    assert json.loads((again / "model.json").read_text())["licence"] == "CC BY 4.0"
    assert export([f"--network={out}", *words[1:2], f"--out={again}", f"--notes={notes}"]) == 0
    assert (again / "MODEL_CARD.md").read_bytes() == (out / "MODEL_CARD.md").read_bytes()
    capsys.readouterr()
    card = (run_folder / "MODEL_CARD.md").read_text("utf-8")
    assert (out / "MODEL_CARD.md").read_text("utf-8") == f"{card}\n## Licences\n\nÜbung\n"
    assert export([*words, f"--notes={tmp_path / 'gone.md'}"]) == 1
    assert "gone.md" in capsys.readouterr().err
    notes.write_bytes("Größe".encode("latin-1"))
    assert export([*words, f"--notes={notes}"]) == 1
    assert f"--notes={notes} is no text in UTF-8" in capsys.readouterr().err
    trained = places.open_network(out)
    exact = places.open_network(run_folder)
    for one, other in zip(*map(jax.tree.leaves, (trained.variables, exact.variables)), strict=True):
        assert one.dtype == np.float32
        if one.ndim < 2:
            np.testing.assert_array_equal(one, other)
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-6)


def test_it_serves_wherever_a_run_does(run_folder, handed, tmp_path, images):
    config = configuration.read(run_folder)
    (member,) = ensemble.members(config, [handed])
    variables = member.variables
    chex.assert_trees_all_equal(variables, places.open_network(run_folder).variables)
    given, taken = initialization.from_run(variables, Train(init_from=str(handed)))
    chex.assert_trees_all_equal(given, variables)
    assert taken.left == ()
    both = busjax.load(run_folder, handed)(images[0])
    alone = busjax.load(run_folder)(images[0])
    np.testing.assert_allclose(both.mask_probability, alone.mask_probability, atol=1e-6)
    assert export([f"--network={handed}", "--format=stablehlo", f"--out={tmp_path}"]) == 0
    assert (tmp_path / "model.stablehlo").is_file()
    with pytest.raises(UserError, match="holds an export for other programs: give the run"):
        busjax.load(tmp_path)
    again = tmp_path / "again"
    assert export([f"--network={handed}", "--format=folder", f"--out={again}"]) == 0
    one, two = (json.loads((path / "model.json").read_text()) for path in (handed, again))
    assert one == two


def test_it_is_evaluated_on_another_set(copy, tmp_path, capsys, monkeypatch):
    from tests.data.test_sources import write_busi

    monkeypatch.chdir(tmp_path)
    set_folder = write_busi(tmp_path / "clinic")
    config = configuration.read(copy)
    with pytest.raises(UserError, match=r"handed over without its images.*--config\.data\.dir"):
        run.evaluate_only(config, copy)
    summary = run.evaluate_only(config.but(data={"dir": str(set_folder)}), copy)
    assert summary["split"] == "external"
    assert summary["images_seen_in_training"] == 0
    assert (copy / "evaluation_clinic" / "report.html").is_file()
    assert busjax.load(copy)  # what lies beside it is no damage


def test_images_that_it_has_seen_are_counted(run_folder, copy):
    from busjax.evaluation import external

    digests = splits.provenance(run_folder / "split.json")["digests"]
    split = splits.read(run_folder / "split.json")
    known = len(split.train) + len(split.validation)
    for place in (run_folder, copy):
        assert external.seen(digests, places.trained_on(place)) == known


def test_where_a_network_is_looked_for(handed, tmp_path, monkeypatch):
    inside = tmp_path / "packages"
    shutil.copytree(handed, inside / "small")
    monkeypatch.setattr(packaged, "FOLDER", inside)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small").mkdir()
    assert packaged.names() == ["small"]
    assert places.find("small") == epath.Path(inside / "small")
    with pytest.raises(UserError, match=r"\./small holds no run and no network; packaged ones: sm"):
        places.find("./small")
    with pytest.raises(UserError, match="give a folder by --out"):
        convert("small", "stablehlo")
    for _ in range(2):
        packaged.unpack("small", tmp_path / "unpacked")
    assert places.open_network(tmp_path / "unpacked").digest == places.open_network("small").digest


def test_a_packaged_network_takes_the_place_of_nothing(handed, run_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(packaged, "FOLDER", tmp_path / "packages")
    shutil.copytree(handed, tmp_path / "packages" / "small")
    mine = tmp_path / "mine"
    shutil.copytree(run_folder, mine)
    before = {path: path.read_bytes() for path in mine.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match="mine holds something else than the packaged network"):
        packaged.unpack("small", mine)
    assert {path: path.read_bytes() for path in mine.rglob("*") if path.is_file()} == before
    packaged.unpack("small", tmp_path / "there")
    told = json.loads((tmp_path / "there" / "model.json").read_text())
    (tmp_path / "there" / "model.json").write_text(json.dumps({**told, "epoch": 0}))
    with pytest.raises(UserError, match="there holds something else"):
        packaged.unpack("small", tmp_path / "there")


def test_no_run_goes_on_in_the_folder_of_a_handed_over_network(copy):
    before = sorted(path.name for path in copy.iterdir())
    with pytest.raises(UserError, match="holds a network that was handed over"):
        run.train_and_evaluate(places.settings(copy), copy)
    assert sorted(path.name for path in copy.iterdir()) == before


def test_another_network_is_refused(run_folder, handed):
    asked = configuration.read(run_folder).but(model={"width": 8})
    with pytest.raises(UserError, match=r"another one: config\.model\.width is 4 there and 8 here"):
        places.open_network(handed, asked)


def test_a_path_through_a_file_is_told_in_a_line(run_folder, handed, capsys):
    for kind in ("folder", "stablehlo"):
        out = handed / "model.json" / "x"
        assert export([f"--workdir={run_folder}", f"--format={kind}", f"--out={out}"]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert "a part of its path is a file" in line


def test_a_later_version_is_refused(copy):
    content = json.loads((copy / "model.json").read_text())
    (copy / "model.json").write_text(json.dumps({**content, "version": 99}))
    checksums.write(copy)
    with pytest.raises(UserError, match="is of format 99; this busjax reads 1"):
        places.open_network(copy)


def test_a_pickle_is_no_network():
    with pytest.raises(UserError, match="no safetensors file"):
        tensors.from_bytes(pickle.dumps({"params": {}}))


@pytest.mark.parametrize("inside", ["other.txt", None])
def test_only_a_network_is_replaced(run_folder, handed, tmp_path, capsys, inside):
    if inside:
        (tmp_path / inside).write_text("mine")
    out = tmp_path if inside else handed
    place = run_folder if inside else handed
    assert export([f"--workdir={place}", "--format=folder", f"--out={out}"]) == 1
    assert "give another folder" in capsys.readouterr().err

"""Exported networks say what the network says, in programs that know neither busjax nor flax."""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
import types
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from etils import epath

from busjax.config import Config
from busjax.errors import UserError
from busjax.inference.export import __main__ as command
from busjax.inference.export import convert as export
from busjax.models import architectures
from busjax.models.prediction import Ensemble
from busjax.runs import results

ROOT = Path(__file__).parent.parent.parent
HAS_ONNX = importlib.util.find_spec("jax2onnx") is not None
KINDS = [
    "stablehlo",
    pytest.param("onnx", marks=pytest.mark.skipif(not HAS_ONNX, reason="pip install .[onnx]")),
]
ARCHITECTURES = {
    "unet": {"name": "unet"},
    "unet bilinear, group norm": {"name": "unet", "upsample": "bilinear", "norm": "group"},
    "gate units": {"name": "gated_unet", "gate": "unit"},
    "attention gates, instance norm": {"name": "gated_unet", "gate": "attention",
                                       "norm": "instance"},
    "unetpp refined": {"name": "unetpp", "refine": "hard"},
    "refined both ways": {"name": "unet", "refine": "both"},
    "unetpp pruned, soft, three channels": {"name": "unetpp", "prune": 1, "refine": "soft",
                                            "image_channels": 3},
}  # fmt: skip


def _network(predictor, ops):
    return export.network_of(predictor.config, predictor.ensemble, ops)


def untrained(**fields):
    """A predictor with random weights, of which only what an export needs is there."""
    config = Config().but(
        model={
            "width": 4,
            "depth": 1,
            "classifier_hidden": 8,
            "norm_groups": 2,
            "ops": "cpu",
            "dtype": "bfloat16",
            **fields,
        }
    )
    network = architectures.build(config.model)
    image = jnp.zeros((1, 16, 16, config.model.image_channels))
    keys = {"params": jax.random.key(0, impl="rbg"), "dropout": jax.random.key(1)}
    variables = jax.jit(lambda: network.init(keys, image, train=True))()
    return types.SimpleNamespace(config=config, ensemble=Ensemble((variables,)))


def config_is_hard(architecture):
    """Whether the refinement may leave a black mask."""
    return ARCHITECTURES[architecture].get("refine") in ("hard", "both")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture(tmp_path, kind, architecture):
    """In portable operations and float32, though the network has others; any number of images."""
    predictor = untrained(**ARCHITECTURES[architecture])
    suffix, convert, run = export.FORMATS[kind]
    path = tmp_path / f"model.{suffix}"
    convert(_network(predictor, "portable"), 16, {"note": "text", "inputs": ["image"]}, path)
    exported, network = run(path), _network(predictor, "reference")
    images = np.random.default_rng(0).random((3, 16, 16, 1), np.float32)
    assert export._difference(network, exported, {"image": images}) < 1e-5
    mask, classes = exported(images)
    assert (mask.shape, classes.shape) == ((3, 16, 16, 1), (3, 3))
    assert np.ptp(np.asarray(mask)) > 0 or config_is_hard(architecture)


@pytest.mark.parametrize("kind", KINDS)
def test_export_of_a_run(run_folder, tmp_path, kind, capsys, caplog):
    run = tmp_path / "run"
    shutil.copytree(run_folder, run)
    assert command.main([f"--workdir={run}", f"--format={kind}"]) == 0
    told = capsys.readouterr().out
    assert float(re.search(r"by (\S+) at most", told)[1]) <= 1e-5
    assert [record for record in caplog.records if record.levelname == "WARNING"] == []
    facts = json.loads((run / "export" / "model.json").read_text())
    assert facts["classes"] == ["benign", "malignant", "normal"]
    assert (facts["image_size"], facts["busjax"]) == (16, "0.1.0")
    assert "Research only" in facts["note"]
    # What the run's own evaluation said of its images.
    pictures, rows = results.read_predictions(run), results.read_rows(run)
    images = pictures.image[..., None].astype(np.float32) / 255
    mask, classes = export.FORMATS[kind][2](run / "export" / f"model.{kind}")(images)
    np.testing.assert_allclose(classes, [row.probabilities for row in rows], atol=1e-5)
    assert np.abs(np.asarray(mask)[..., 0] * 255 - pictures.probability).max() < 0.51


@pytest.mark.skipif(not HAS_ONNX, reason="pip install .[onnx]")
def test_onnx_carries_its_facts(run_folder, tmp_path):
    import onnx

    predictor = untrained()
    facts = {"classes": ["a", "b"], "inputs": {"image": "of 16 pixels"}}
    export._to_onnx(_network(predictor, "portable"), 16, facts, tmp_path / "m.onnx")
    model = onnx.load(tmp_path / "m.onnx")
    told = {entry.key: entry.value for entry in model.metadata_props}
    assert told == {"classes": "['a', 'b']", "inputs": "{'image': 'of 16 pixels'}"}
    assert [entry.name for entry in model.graph.input] == ["image"]
    assert [entry.name for entry in model.graph.output] == [
        "mask_probability", "class_probabilities",
    ]  # fmt: skip
    assert model.opset_import[0].version == export.OPSET


def test_stablehlo_is_for_every_platform(tmp_path):
    path = tmp_path / "model.stablehlo"
    export._to_stablehlo(_network(untrained(), "portable"), 16, {"inputs": ["image"]}, path)
    exported = jax.export.deserialize(bytearray(path.read_bytes()))
    assert exported.platforms == ("cpu", "cuda", "tpu")


def test_a_difference_leaves_nothing(run_folder, tmp_path, monkeypatch, capsys):
    run = tmp_path / "run"
    shutil.copytree(run_folder, run)
    real = export._difference
    monkeypatch.setattr(export, "_difference", lambda *arguments: real(*arguments) + 2e-4)
    assert command.main([f"--workdir={run}", "--format=stablehlo"]) == 1
    assert "differs from its original by 2.0e-04" in capsys.readouterr().err
    monkeypatch.setattr(export, "_difference", lambda *arguments: float("nan"))
    with pytest.raises(UserError, match="nothing is exported"):
        export.export(epath.Path(run), "stablehlo")
    assert not (run / "export").exists()


def test_differences_are_seen():
    """Of either output, in a batch of one or of several."""
    images = np.zeros((3, 4, 4, 1), np.float32)

    def network(image):
        return image, jnp.zeros((image.shape[0], 3))

    def wrong(image):
        mask, classes = np.zeros_like(image), np.zeros((len(image), 3))
        classes[-1, 2] = 0.25 * (len(image) > 1)
        return mask, classes

    given = {"image": images}
    assert export._difference(network, network, given) == 0
    assert export._difference(network, wrong, given) == 0.25
    assert export._difference(network, lambda x: (np.asarray(x) + 0.5, np.zeros((len(x), 3))),
                              given) == 0.5  # fmt: skip


def test_no_run_is_told(tmp_path, capsys):
    assert command.main([f"--workdir={tmp_path}", "--format=stablehlo"]) == 1
    assert "holds no run" in capsys.readouterr().err


@pytest.mark.parametrize("kind", KINDS)
def test_the_lines_of_the_readme(run_folder, tmp_path, kind):
    """Run as they are written, where importing busjax or flax fails."""
    run = tmp_path / "runs" / "unetpp"
    shutil.copytree(run_folder, run)
    export.export(epath.Path(run), kind)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    (lines,) = [block for block in blocks if f"model.{kind}" in block]
    assert len(lines.splitlines()) <= 4
    code = (
        "import sys; sys.modules.update(dict.fromkeys(('busjax', 'flax')))\n"
        "import numpy as np; images = np.full((2, 16, 16, 1), 0.5, np.float32)\n"
        f"{lines}\nassert mask.shape == (2, 16, 16, 1) and classes.shape == (2, 3)\n"
        "assert np.allclose(np.asarray(classes).sum(1), 1, atol=1e-5)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr

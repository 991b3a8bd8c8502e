"""What CONTRIBUTING.md says that a new architecture takes is all that it takes."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent

DECODER = '''
import dataclasses
import flax.linen as nn
from busjax.models.blocks import BlockSpec, ConvBlock, Up

class ToyDecoder(nn.Module):
    """Without skips."""
    spec: BlockSpec = dataclasses.field(default_factory=BlockSpec)

    @nn.compact
    def __call__(self, features, train=False):
        x, decoded = features[-1], []
        for level, skip in reversed(list(enumerate(features[:-1]))):
            channels = self.spec.ops.shape(skip)[-1]
            x = Up(self.spec, channels, name=f"up_{level}")(x)
            x = ConvBlock(self.spec, channels, name=f"level_{level}")(x, train=train)
            decoded.append(x)
        return (decoded[-1],), decoded[0]
'''

VARIANT = """
from configs import base

def get_config():
    config = base.get_config()
    config.name = config.model.name = "toy"
    return config
"""

# File, text before, text after: the two lines that are changed.
EDITS = [
    (
        "busjax/models/architectures.py",
        "DECODERS: dict[str, Callable[[BlockSpec, Model], Decoder]] = {\n",
        "DECODERS: dict[str, Callable[[BlockSpec, Model], Decoder]] = {\n"
        '    "toy": lambda spec, model: __import__("busjax.models.toy", fromlist=["x"])'
        ".ToyDecoder(spec),\n",
    ),
    ("busjax/config/model.py", '"gated_unet", "unetpp")', '"gated_unet", "unetpp", "toy")'),
]
FILES = {"busjax/models/toy.py": DECODER, "configs/toy.py": VARIANT}
SMALL = ("model.width=4", "model.depth=1", "model.ops=reference", "data.image_size=16",
         "data.source=phantom", "data.phantom_count=24", "train.batch_size=8",
         "train.eval_batch_size=8", "train.epochs=1", "parallel.devices=1")  # fmt: skip


def test_two_files_and_two_lines_make_an_architecture(tmp_path, environment):
    for package in ("busjax", "configs"):
        shutil.copytree(ROOT / package, tmp_path / package)
    for name, content in FILES.items():
        assert not (tmp_path / name).exists()
        (tmp_path / name).write_text(content)
    for name, before, after in EDITS:
        text = (tmp_path / name).read_text()
        assert text.count(before) == 1, name
        (tmp_path / name).write_text(text.replace(before, after))
    command = [sys.executable, "-m", "busjax.main", "--config=configs/toy.py", "--workdir=run"]
    done = subprocess.run(
        [*command, *(f"--config.{field}" for field in SMALL)],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "report: run/report.html" in done.stdout
    assert '"name": "toy"' in (tmp_path / "run/config.json").read_text()


def test_the_guide_names_each_of_them():
    guide = (ROOT / "CONTRIBUTING.md").read_text()
    for path in ("busjax/models/", *(name for name, _, _ in EDITS), "configs/"):
        assert f"`{path}`" in guide
    assert "`DECODERS`" in guide
    assert "`DECODERS`" in (ROOT / "README.md").read_text()

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

ENCODER = '''
import dataclasses
import flax.linen as nn
import jax.numpy as jnp
from busjax.models.blocks import BlockSpec, ConvBlock
from busjax.ops.interface import Dtype

class ToyEncoder(nn.Module):
    """One block a level, all of four channels."""
    spec: BlockSpec = dataclasses.field(default_factory=BlockSpec)
    halvings: int = 1
    dtype: Dtype = jnp.float32

    @nn.compact
    def __call__(self, image, train=False):
        x, features = self.spec.ops.load(image, self.dtype), []
        for level in range(self.halvings + 1):
            x = self.spec.ops.max_pool2x2(x) if level else x
            x = ConvBlock(self.spec, 4, name=f"level_{level}")(x, train=train)
            features.append(x)
        return features
'''

READER = '''
import numpy as np
from busjax.classes import CLASSES
from busjax.data.records import Record

class ToySource:
    """Squares of the brightness of their class."""
    name = "toy"
    description = "24 toys"
    remarks = ()

    def __init__(self):
        self.ids = self.groups = tuple(f"toy {i}" for i in range(24))
        self.labels = np.arange(24, dtype=np.int32) % len(CLASSES)

    def __len__(self):
        return 24

    def __getitem__(self, index):
        label = int(self.labels[index])
        mask = np.zeros((16, 16), np.uint8)
        mask[4:12, 4:12] = label < 2
        image = np.full((16, 16), 50 * label + 5 * (index % 5), np.uint8)
        return Record(self.ids[index], image, mask, label, self.ids[index])
'''

VARIANT = """
from busjax.variants import variant

def get_config():
    config = variant("base")
    config.name = config.model.name = "toy"
    return config
"""

# File, text before, text after: two lines each for a decoder, an encoder and a data set.
EDITS = [
    (
        "busjax/models/architectures.py",
        "DECODERS: dict[str, Callable[[BlockSpec, Model], Decoder]] = {\n",
        "DECODERS: dict[str, Callable[[BlockSpec, Model], Decoder]] = {\n"
        '    "toy": lambda spec, model: __import__("busjax.models.toy", fromlist=["x"])'
        ".ToyDecoder(spec),\n",
    ),
    ("busjax/config/model.py", '"gated_unet", "unetpp")', '"gated_unet", "unetpp", "toy")'),
    (
        "busjax/models/architectures.py",
        "ENCODERS: dict[str, Callable[[BlockSpec, Model], Encoder]] = {\n",
        "ENCODERS: dict[str, Callable[[BlockSpec, Model], Encoder]] = {\n"
        '    "toy": lambda spec, model: __import__("busjax.models.toy_encoder", fromlist=["x"])'
        ".ToyEncoder(spec, model.depth),\n",
    ),
    ("busjax/config/model.py", 'OneOf(("conv", ', 'OneOf(("toy", "conv", '),
    (
        "busjax/data/sources.py",
        "READERS: dict[str, Callable[[Data, PathLike], RecordSource]] = {\n",
        "READERS: dict[str, Callable[[Data, PathLike], RecordSource]] = {\n"
        '    "toy": lambda data, cwd: __import__("busjax.data.readers.toy", fromlist=["x"])'
        ".ToySource(),\n",
    ),
    ("busjax/config/data.py", 'OneOf(("auto", ', 'OneOf(("toy", "auto", '),
]
FILES = {
    "busjax/models/toy.py": DECODER,
    "configs/toy.py": VARIANT,
    "busjax/models/toy_encoder.py": ENCODER,
    "busjax/data/readers/toy.py": READER,
}
SMALL = ("model.width=4", "model.depth=1", "model.ops=reference", "data.image_size=16",
         "data.source=toy", "model.encoder=toy", "train.batch_size=8",
         "train.eval_batch_size=8", "train.epochs=1", "parallel.devices=1")  # fmt: skip


def test_a_file_and_two_lines_make_a_decoder_an_encoder_and_a_data_set(tmp_path, environment):
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
    assert done.stdout.startswith("24 toys")
    config = (tmp_path / "run/config.json").read_text()
    for field in ("name", "encoder", "source"):
        assert f'"{field}": "toy"' in config


def test_the_guide_names_each_of_them():
    guide = (ROOT / "CONTRIBUTING.md").read_text()
    for path in (
        "busjax/models/",
        "busjax/data/readers/",
        *(name for name, _, _ in EDITS),
        "configs/",
    ):
        assert f"`{path}`" in guide
    for page in ("README.md", "CONTRIBUTING.md", "docs/design.md"):
        text = (ROOT / page).read_text()
        for table in ("DECODERS", "ENCODERS", "READERS"):
            assert f"`{table}`" in text, page

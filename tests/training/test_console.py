"""What a person sees while a network trains."""

import io
import sys

from busjax.training.console import Console

ROW = {
    "epoch": 2,
    "images_per_second": 8.0,
    "train": {"loss": 1.25},
    "validation": {"dice_average": 0.5, "accuracy": 0.75},
}


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_lines_where_there_is_no_terminal(capsys):
    console = Console(epochs=3, total_steps=30, first_step=10, batch_size=8)
    for _ in range(10):
        console.step(1.5)
    console.epoch(ROW)
    console.close()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("first step after")
    assert lines[0].endswith("loss 1.500")
    assert len(lines) == 2
    for part in ("2/3", "loss 1.250", "Dice 0.500", "accuracy 0.750", "8.0 images/s", "0:10 left"):
        assert part in lines[1]


def test_bar_on_a_terminal(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    console = Console(epochs=3, total_steps=30, first_step=10, batch_size=8)
    for _ in range(10):
        console.step(1.5)
    console.epoch(ROW)
    console.close()
    shown = terminal.getvalue()
    for part in ("160/240", "loss=1.500", "val_dice=0.500", "val_acc=0.750", "img/s"):
        assert part in shown
    assert "epoch" not in shown

"""What a person sees while something takes long, and work that goes on meanwhile."""

import io
import os
import threading
import time

import pytest

from busjax import waiting


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(waiting, "_UNTOLD", 0.02)
    monkeypatch.setattr(waiting, "_UNTOLD_IN_FILES", 0.02)
    monkeypatch.setattr(waiting, "_TICK", 0.02)


def shown(stream, seconds):
    with waiting.waiting("compiling the train step", stream):
        time.sleep(seconds)
    return stream.getvalue()


def test_what_is_soon_over_needs_no_word(monkeypatch):
    monkeypatch.setattr(waiting, "_UNTOLD", 5)
    assert shown(Terminal(), 0.01) == ""


def test_one_line_where_there_is_no_terminal():
    assert shown(io.StringIO(), 0.2) == "compiling the train step ...\n"


def test_a_terminal_counts_the_seconds_and_is_left_clean(monkeypatch):
    clock = iter(range(1000))
    monkeypatch.setattr(waiting.time, "monotonic", lambda: next(clock))
    told = shown(Terminal(), 0.3).split("\r")[1:]
    assert [text.split("\x1b")[0] for text in told[:2]] == [
        "compiling the train step: 1 s",
        "compiling the train step: 2 s",
    ]
    assert told[-1] == "\x1b[K"


def test_the_alarm_of_xla_is_left_out_and_nothing_else(monkeypatch, capfd):
    monkeypatch.setattr(waiting, "_ALARM_AFTER", 0)
    with waiting.waiting("compiling", io.StringIO()):
        time.sleep(0.2)
        os.write(2, b"E0000 00:00:1.2  3 slow_operation_alarm.cc:73] \n" + b"*" * 32 + b"\n")
        os.write(2, b"[Compiling module jit_f for CPU] Very slow compile? If you want ...\n")
        os.write(2, b"*" * 32 + b"\nE0000 slow_operation_alarm.cc:140] The operation took 2m3s\n")
        os.write(2, b"out of memory\nand a last line without an end")
    os.write(2, b", and after it\n")
    assert capfd.readouterr().err == "out of memory\nand a last line without an end, and after it\n"


def test_work_in_the_background_gives_its_result_or_its_error():
    assert waiting.in_background(threading.get_ident).result() != threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        waiting.in_background(lambda: 1 / 0).result()

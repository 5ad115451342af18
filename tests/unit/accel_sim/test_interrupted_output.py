"""Ctrl-C between any two instructions of the module that writes: nothing hidden is left, and a result is whole."""

import contextlib
import itertools
import os
import signal
import sys
import threading

import pytest

from accel_sim.host import output, signals


class Interrupt:
    """Raises KeyboardInterrupt before instruction ``number`` of accel_sim.host.output, once, in any function."""

    def __init__(self, number):
        self.left, self.done = number, False

    def __call__(self, frame, event, _argument):
        if frame.f_code.co_filename != output.__file__:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode" and not self.done:
            self.left -= 1
            if self.left < 0:
                self.done = True
                raise KeyboardInterrupt
        return self


@contextlib.contextmanager
def traced(interrupt):
    before = sys.gettrace()
    sys.settrace(interrupt)
    try:
        yield
    finally:
        sys.settrace(before)


def fill(out):
    with output.whole(out) as made:
        for name in ("a", output.MARK):
            (made / name).write_text("new")


def found(folder):
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


NEW = {"r/a": "new", f"r/{output.MARK}": "new"}
OLD = {"r/old": "old", f"r/{output.MARK}": "old"}


@pytest.mark.parametrize("before", [{}, OLD], ids=["a new directory", "an earlier result"])
def test_an_interrupt_anywhere_while_results_are_written(before, tmp_path):
    for number in itertools.count():
        ground = tmp_path / str(number)
        ground.mkdir()
        for name, text in before.items():
            (ground / name).parent.mkdir(exist_ok=True)
            (ground / name).write_text(text)
        interrupt = Interrupt(number)
        with contextlib.suppress(KeyboardInterrupt), traced(interrupt):
            fill(ground / "r")
        assert found(ground) in (before, NEW), number
        assert {path.name for path in ground.iterdir()} <= {"r"}, number
        if not interrupt.done:
            assert number > 100 and found(ground) == NEW
            return


def test_an_interrupt_anywhere_while_a_file_is_written(tmp_path):
    for number in itertools.count():
        interrupt = Interrupt(number)
        (tmp_path / "f").write_text("old")
        with contextlib.suppress(KeyboardInterrupt), traced(interrupt):
            output.write(tmp_path / "f", "new")
        assert found(tmp_path) in ({"f": "old"}, {"f": "new"}), number
        assert {path.name for path in tmp_path.iterdir()} == {"f"}, number
        if not interrupt.done:
            assert number > 50
            return


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_held_back_raises_when_the_block_is_done(number):
    done = []
    with signals.heard():
        with pytest.raises(KeyboardInterrupt) as end, signals.held_back():
            os.kill(os.getpid(), number)
            os.kill(os.getpid(), signal.SIGINT)
            done.append(True)
        assert done == [True]
        assert (type(end.value), getattr(end.value, "number", signal.SIGINT)) == (
            (KeyboardInterrupt, number) if number == signal.SIGINT else (signals.Ended, number)
        )
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
            signal.pause()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_other_threads_hold_nothing_back():
    said = []

    def work():
        with signals.heard(), signals.held_back():
            said.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert said == [signal.SIG_DFL]

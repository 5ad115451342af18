"""The command line: one command, and what its errors mean to a shell."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress

from accel_sim.host.signals import Ended, heard
from accel_sim.shell.arguments import parser

#: commands that leave nothing but what they print
PRINTING = ("list", "show", "stats", "dram", "completion")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code: 0 good, 2 bad input or a system that refuses, 3 a check failed, 4 points
    of a study failed, 130 interrupted (by Ctrl-C; 128 + its number by another signal)."""
    try:
        arguments = parser().parse_args(argv)
    except SystemExit:
        _flushed()
        raise
    with heard():
        return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    try:
        from accel_sim.shell import commands
        from accel_sim.values.errors import CheckError
        from workloads.registry import InputError, plugin_fault

        if sys.stdout is None and (arguments.command in PRINTING or getattr(arguments, "json", False)):
            raise OSError("there is no standard output to print to")
        code = commands.COMMANDS[arguments.command](arguments)
        sys.stdout.flush()
        return code
    except InputError as error:
        return _said(arguments, 2, error)
    except CheckError as error:
        return _said(arguments, 3, error)
    except Ended as end:
        return _said(arguments, 128 + end.number, f"ended by {signal.Signals(end.number).name}")
    except KeyboardInterrupt:
        return _said(arguments, 130, "interrupted")
    except BrokenPipeError:  # the reader of our output has gone: nothing is left to say
        _deaf()
        return 0
    except OSError as error:
        from accel_sim.host.output import said

        place = f"{error.filename}: " if error.filename else ""
        return _said(arguments, 2, InputError(f"{place}{said(error)}"))
    except MemoryError:
        return _said(arguments, 2, "this takes more memory than there is")
    except Exception as error:
        fault = plugin_fault(error)
        if fault is None:
            raise
        return _said(arguments, 2, InputError(fault))


def _said(arguments: argparse.Namespace, code: int, text: object) -> int:
    """Says in one line why a command ends; returns its exit code."""
    with suppress(OSError, AttributeError, ValueError):  # nobody can be told
        print(f"accel-sim {arguments.command}: {text}", file=sys.stderr, flush=True)
    _flushed()
    return code


def _flushed() -> None:
    """What was printed is out, or cannot be: the interpreter is not to try again, and complain, at its end."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        _deaf()


def _deaf() -> None:
    """Whatever is still printed goes nowhere."""
    with suppress(OSError, AttributeError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


if __name__ == "__main__":
    sys.exit(main())

"""Running the command line in this process, and what every refusal looks like."""

from pathlib import Path

from accel_sim.cli import main


def run(capsys, *arguments) -> tuple[int, str, str]:
    """(exit code, standard output, standard error)."""
    try:
        code = main([str(argument) for argument in arguments])
    except SystemExit as stop:  # argparse
        code = stop.code
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def refused(capsys, folder: Path, *arguments, code: int = 2) -> str:
    """The one line of a refusal; nothing may have been written into ``folder``."""
    before = sorted(folder.rglob("*"))
    found, out, err = run(capsys, *arguments)
    assert found == code, (out, err)
    assert err.count("\n") == 1, err
    assert "Traceback" not in err
    assert sorted(folder.rglob("*")) == before
    return err

"""The command line: one command, and what its errors mean to a shell."""

import sys
from collections.abc import Sequence

from accel_sim.arguments import parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code: 0 good, 2 bad input, 3 a check failed, 4 points of a study
    failed, 130 interrupted."""
    arguments = parser().parse_args(argv)
    from accel_sim import commands
    from accel_sim.check import CheckError
    from workloads.registry import InputError

    try:
        return commands.COMMANDS[arguments.command](arguments)
    except InputError as error:
        print(f"accel-sim {arguments.command}: {error}", file=sys.stderr)
        return 2
    except CheckError as error:
        print(f"accel-sim {arguments.command}: {error}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        print(f"accel-sim {arguments.command}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has gone: nothing is left to say
        sys.stderr.close()
        return 0


if __name__ == "__main__":
    sys.exit(main())

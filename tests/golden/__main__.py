"""``python -m tests.golden``: runs whose figures do not change unless somebody means them to.

Says which differ from runs.csv, and in what; ``--write`` keeps what is found. Exit code 1 where one differs.
"""

import argparse
import sys

from tests.golden.runs import KEPT, found, kept, write


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.golden", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"keep what is found in {KEPT.name}")
    parser.add_argument("--only", default="", metavar="TEXT", help="runs whose command holds a text")
    given = parser.parse_args()
    before, changed, rows = kept(), 0, []
    for command, row in before.items():
        if given.only in command:
            new = found(command)
            if new != row:
                changed += 1
                print(
                    f"{command}: {', '.join(f'{k} {row[k]} -> {new[k]}' for k in new if new[k] != row[k])}", flush=True
                )
            row = new
        rows.append(row)
    print(f"{changed} of {sum(given.only in command for command in before)} runs differ")
    if given.write:
        write(rows)
        return 0
    return int(changed > 0)


if __name__ == "__main__":
    sys.exit(main())

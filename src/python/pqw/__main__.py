"""python -m pqw: the command-line tool, which is in the package."""

import os
import sys


def main() -> None:
    tool = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bin", "pqw")
    try:
        os.execv(tool, ["pqw", *sys.argv[1:]])
    except OSError as error:
        sys.exit(f"pqw: cannot run {tool}: {error.strerror}")


if __name__ == "__main__":
    main()

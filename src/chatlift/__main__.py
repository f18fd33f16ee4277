"""The command `chatlift`, also as `python -m chatlift`: Ctrl-C is heard from the first moment."""

import sys
from importlib import import_module

STOPPED = 130


def main() -> None:
    """Run the command line of this process."""
    try:
        # Late, because importing takes a moment in which one may already press Ctrl-C.
        import_module("chatlift.cli.main").main()
    except KeyboardInterrupt:
        sys.stderr.write("Stopped.\n")
        sys.exit(STOPPED)


if __name__ == "__main__":
    main()

"""The platform's address of `chatlift generate`: run this module with `python -m`."""

import sys

from chatlift.cli.main import run

if __name__ == "__main__":
    run(["generate", *sys.argv[1:]])

"""The platform's address of `chatlift test`: `python -m apps.api.app.ml.test_models`."""

import sys

from chatlift.cli.main import run

if __name__ == "__main__":
    run(["test", *sys.argv[1:]])

"""The platform's address of `chatlift train`: `python -m apps.api.app.ml.train_models`."""

import sys

from chatlift.cli.main import run

if __name__ == "__main__":
    run(["train", *sys.argv[1:]])

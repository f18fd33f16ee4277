"""The platform's address of `chatlift generate`: `python -m apps.api.app.ml.generate_training_data`."""

import sys

from chatlift.cli.main import run

if __name__ == "__main__":
    run(["generate", *sys.argv[1:]])

"""Lets `python -m chatlift` stand for the command `chatlift`."""

from chatlift.cli.main import main

if __name__ == "__main__":
    main()

"""The command line: one file per group of commands, each a few lines over a workflow."""

"""The built-in features, one file per family."""

"""One use case a file; the only place where memory meets learning. None calls another."""

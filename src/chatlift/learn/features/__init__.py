"""What was known before a cutoff, as numbers: declared features, attributes and text."""

"""Chatlift: models that train themselves on a business's own conversations."""

"""Readers of foreign formats: bytes in, records and rejected rows out; no database here."""

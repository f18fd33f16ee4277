"""The schema's history, one file per step under `versions/`; the steps never change.

A new step is drafted from the difference between the tables and the newest step with
`python -m chatlift.store.migrations.draft "why"`, then read and mended by a person, and
`SCHEMA_REVISION` in `store/database.py` moves on to it.
"""

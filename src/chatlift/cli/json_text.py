"""Plain values as JSON text, for programs that read what a command prints."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any


def json_text(value: Any) -> str:
    """Return JSON text in ASCII: instants in ISO 8601, what is not a number as null."""
    return json.dumps(plain(value), indent=2, ensure_ascii=True, allow_nan=False)


def plain(value: Any) -> Any:
    """Return a value made of dictionaries, lists, texts, numbers and null only.

    Examples
    --------
    >>> plain({"auc": float("nan"), "names": ("churn",)})
    {'auc': None, 'names': ['churn']}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value

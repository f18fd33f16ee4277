"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Models = Annotated[
    str, typer.Argument(metavar="MODEL", help="all, lead_scoring, churn or engagement.")
]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress; only the report.")]
AsJson = Annotated[
    bool, typer.Option("--json", help="One JSON document on stdout and nothing else.")
]
LogTo = Annotated[
    Path | None,
    typer.Option(
        "--log-file", dir_okay=False, help="Also write the plain report, with timestamps, here."
    ),
]
Because = Annotated[str, typer.Option("--reason", help="Why; the ledger keeps it.")]
By = Annotated[str, typer.Option("--by", help="Who decided; the ledger keeps it.")]
Force = Annotated[
    bool, typer.Option("--force", help="Also where it serves; predictions then say not ready.")
]
Adopt = Annotated[
    bool,
    typer.Option(
        "--adopt", help="Take over the folder of artifacts, whatever database it belonged to."
    ),
]

"""The scoring child: a fresh interpreter that scores what waits for a worker, and then ends.

It lives and ends as the training child does: `python -m chatlift.jobs.scoring_child` reads its job
as the first line of stdin and ends at once when stdin closes.
"""

from __future__ import annotations

from chatlift.jobs.training_child import main

if __name__ == "__main__":
    main("chatlift.jobs.scoring")

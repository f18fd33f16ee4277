"""A worker's watch over one claimed run: child started, lease renewed, end seen to.

The run's row decides, not the child: whatever happens to the child, the run is ended, given back
or queued again here, or its lease runs out.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

import structlog

from chatlift.errors import Unavailable
from chatlift.jobs.child_process import TrainingChild
from chatlift.jobs.training_job import TrainingJob
from chatlift.registry.failures import failure_of
from chatlift.registry.run_queue import Claim, RunQueue
from chatlift.registry.run_rows import Run, RunLost, cancelled_message
from chatlift.settings import Settings
from chatlift.vocabulary import RunStatus

LOOK_SECONDS = 0.5
"""How often a worker looks whether somebody asked its run to stop."""
RENEWALS = 6
"""So many times within a lease it is renewed: every 5 seconds of 30."""
GIVEN_BACK = "The worker was ended in order; the run goes on with another."

log = structlog.get_logger(__name__)


class TrainingStuck(Unavailable):
    """A training told no step for longer than allowed."""

    def __init__(self, run: Run, limit_seconds: int) -> None:
        super().__init__(
            f"The training told no step for {limit_seconds} seconds after {run.phase!r} and was "
            "ended. If your data needs longer, raise CHATLIFT_STEP_LIMIT_SECONDS."
        )


class Supervision:
    """The watch over one run, in the thread that calls `watch`.

    Parameters
    ----------
    environ
        Environment of the child.
    bell
        Rung by others when there is something to see, so that it need not be waited for.
    is_ending
        Tells whether the worker itself was asked to end.
    """

    def __init__(
        self,
        claimed: Claim,
        queue: RunQueue,
        settings: Settings,
        *,
        environ: Mapping[str, str],
        bell: threading.Event,
        is_ending: Callable[[], bool],
    ) -> None:
        self._claimed = claimed
        self._queue = queue
        self._settings = settings
        self._environ = environ
        self._bell = bell
        self._is_ending = is_ending
        self._renewed_at = time.monotonic()
        self._log = log.bind(
            run_id=claimed.run_id,
            attempt=claimed.attempt,
            account=claimed.account,
            worker=claimed.worker,
        )

    def watch(self) -> None:
        """Train the run in a child and return when this worker has nothing more to do with it."""
        job = TrainingJob.of(self._claimed, self._settings)
        child = TrainingChild(job, self._environ, on_end=self._bell.set)
        self._log.info("training_started", process_id=child.process_id)
        try:
            while not self._looked(child):
                self._bell.wait(LOOK_SECONDS)
                self._bell.clear()
        finally:
            child.kill()
            if child.is_lost:
                # It slept while its run was given to another, and then went on.
                self._log.warning("write_refused")

    def _looked(self, child: TrainingChild) -> bool:
        """Look once; tell whether the watch is over. The next look may do what failed now."""
        try:
            return self._is_over(child)
        except RunLost as lost:
            # Nothing of this attempt can be written any more, and its child need not go on.
            if lost.has_ended:
                self._log.info("training_ended")
            else:
                self._log.warning("run_lost")
            return True
        except Exception as error:  # noqa: BLE001 - a database that is away must not end the watch
            self._log.warning("look_failed", error=type(error).__name__)
            time.sleep(LOOK_SECONDS)
            return self._is_ending()

    def _is_over(self, child: TrainingChild) -> bool:
        if child.has_ended:
            self._see_to_end(child)
            return True
        if self._is_ending():
            child.kill()
            self._told(self._queue.give_back(self._claimed, message=GIVEN_BACK))
            return True
        run = self._seen(child)
        if run.cancel_requested_at is not None:
            message = cancelled_message(run.published)
            ended = self._queue.finish(self._claimed, RunStatus.CANCELLED, message=message)
            child.kill()
            self._told(ended)
            return True
        return self._ended_as_stuck(child, run)

    def _seen(self, child: TrainingChild) -> Run:
        """Return the run, its lease renewed where it is time and the child is well."""
        is_due = time.monotonic() - self._renewed_at >= self._settings.jobs.lease_seconds / RENEWALS
        if not is_due or self._is_stuck(child):
            return self._queue.look(self._claimed)
        run = self._queue.renew(self._claimed)
        self._renewed_at = time.monotonic()
        return run

    def _is_stuck(self, child: TrainingChild) -> bool:
        return child.silent_seconds > self._settings.jobs.step_limit_seconds

    def _ended_as_stuck(self, child: TrainingChild, run: Run) -> bool:
        if not self._is_stuck(child):
            return False
        child.kill()
        stuck = TrainingStuck(run, self._settings.jobs.step_limit_seconds)
        ended = self._queue.finish(
            self._claimed, RunStatus.FAILED, message=str(stuck), error=failure_of(stuck)
        )
        self._told(ended)
        return True

    def _see_to_end(self, child: TrainingChild) -> None:
        """See what the ended child leaves: an ended run, or one to be queued again."""
        error = child.ended_error()
        run = self._queue.give_up(self._claimed, message=error["sentence"], error=error)
        self._log.warning(
            "training_broken",
            error=error["type"],
            exit_code=error.get("exit_code"),
            signal=error.get("signal"),
            status=run.status,
        )

    def _told(self, run: Run) -> None:
        self._log.info("training_stopped", status=run.status)

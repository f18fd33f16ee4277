"""Forget: remove one contact everywhere, keep it from coming back, and say what went.

It may be cut off at any point and run again with the same words: it goes on where it was. The
contact's own rows go last, since all else is found by way of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from chatlift.errors import Conflict, NotFound
from chatlift.registry.log_lines import remove_lines
from chatlift.registry.run_rows import active_run_ids
from chatlift.registry.tombstone_file import keep_digests, kept_digests
from chatlift.registry.upload_folders import sweep_uploads
from chatlift.registry.workspace import Workspace
from chatlift.simulate.truth_files import drop_from_truth
from chatlift.store.crm import Crm
from chatlift.store.forgetting import (
    Forgetting,
    Receipt,
    came_back,
    compact,
    complete,
    open_receipt,
    put_back,
    tombstones_of,
    was_forgotten,
)
from chatlift.store.identity import Identity
from chatlift.store.known_contacts import KnownContact, find_contacts, identity_of, same_person
from chatlift.vocabulary import Progress, ReportProgress, no_progress


@dataclass(frozen=True, kw_only=True)
class ForgetReport:
    """What a call did."""

    receipt: Receipt | None
    """None: there was nothing left to forget."""
    is_compact: bool
    """Whether the database's files hold no byte of it any more. False: another process was at
    work; run the command again when it has ended."""


def contacts_to_forget(
    crm: Crm, wanted: str, *, source: str | None = None
) -> tuple[KnownContact, ...]:
    """Return the contacts that an id or phone stands for, in all sources that know the person.

    A phone may be shared, and then stands for all who have it. None are returned if the person
    was forgotten before, and `forget` then only finishes what may be left.

    Raises
    ------
    NotFound
        If nobody is known, or was forgotten, by these words.
    Conflict
        If two sources use the id for contacts that do not share a phone.
    """
    named = find_contacts(crm, wanted, source=source)
    rest = open_receipt(crm)
    is_rest = rest is not None and rest.is_removed
    if not named and not is_rest and not was_forgotten(crm, wanted, source=source):
        where = f" in {source}" if source else ""
        raise NotFound(
            f"No contact has this id or phone{where}. Give the id that its source uses, or its "
            "phone number with the country's code."
        )
    found = same_person(crm, named)
    sources = sorted({contact.source for contact in named if contact.external_id == wanted})
    if len(sources) > 1 and len(same_person(crm, named[:1])) < len(found):
        raise Conflict(
            f"Different contacts have this id in {', '.join(sources)}. Say which is meant with "
            "--source."
        )
    return found


ReadDeliveries = Callable[[], object]
"""Reads into records what webhooks brought for the account (`workflows.receive`)."""


def forget(
    workspace: Workspace,
    contacts: Sequence[KnownContact],
    *,
    clock: Callable[[], datetime],
    read_deliveries: ReadDeliveries,
    report: ReportProgress = no_progress,
) -> ForgetReport:
    """Forget these contacts; without any, finish what an earlier call left.

    Parameters
    ----------
    contacts
        As `contacts_to_forget` returns them.
    read_deliveries
        Called before anything goes, since what is not read yet may be about them, and again at
        the end for what came meanwhile, which is then refused. What of it cannot be read goes if
        it names them.

    Raises
    ------
    Conflict
        If a training is under way: it has read the contacts and would name them afterwards.
    """
    _refuse_while_training(workspace)
    read_deliveries()
    if contacts:
        _remove(workspace, contacts, clock, read_deliveries, report)
    report(Progress(phase="compact", fraction=0.8, message="giving the space back"))
    is_compact = compact(workspace.database)
    receipt = open_receipt(workspace.crm)
    if is_compact:
        complete(workspace.crm, now=clock())
    is_ours = receipt is not None and receipt.is_removed
    return ForgetReport(receipt=receipt if is_ours else None, is_compact=is_compact)


def forget_after_restore(
    workspace: Workspace,
    *,
    clock: Callable[[], datetime],
    read_deliveries: ReadDeliveries,
    report: ReportProgress = no_progress,
) -> ForgetReport:
    """Forget everybody anew who was forgotten since the backup that was restored.

    Who that is, the tombstones beside the secret tell. Raises as `forget`.
    """
    put_back(workspace.crm, kept_digests(_tombstone_file(workspace)), now=clock())
    returned = same_person(workspace.crm, came_back(workspace.crm))
    return forget(workspace, returned, clock=clock, read_deliveries=read_deliveries, report=report)


def _tombstone_file(workspace: Workspace) -> Path:
    return workspace.settings.home / "forgotten" / f"{workspace.account.account_id}.txt"


def _refuse_while_training(workspace: Workspace) -> None:
    workspace.runs.expire()
    with workspace.database.read() as connection:
        if active_run_ids(connection, workspace.account.account_id):
            raise Conflict(
                "A training is under way and has read the contact already. Wait for it to end, "
                "or stop it, and forget then."
            )


def _remove(
    workspace: Workspace,
    contacts: Sequence[KnownContact],
    clock: Callable[[], datetime],
    read_deliveries: ReadDeliveries,
    report: ReportProgress,
) -> None:
    forgetting = Forgetting(workspace.crm, contacts)
    forgetting.begin(now=clock())
    keep_digests(_tombstone_file(workspace), tombstones_of(workspace.crm))
    identity = identity_of(workspace.crm, contacts)
    report(Progress(phase="elsewhere", fraction=0.1, message="logs and refused rows"))
    forgetting.count(_removed_from_files(workspace, identity))
    forgetting.delete_rejected(identity)
    forgetting.mask_texts(identity)
    gone = 0
    while count := forgetting.delete_messages(now=clock()):
        gone += count
        report(Progress(phase="messages", fraction=0.4, message=f"{gone:,} messages"))
    read_deliveries()
    forgetting.delete_deliveries(identity)
    # Once more: another process may have refused something of them while this one began.
    forgetting.delete_rejected(identity)
    forgetting.delete_contacts()


def _removed_from_files(workspace: Workspace, identity: Identity) -> dict[str, int]:
    return {
        "log_lines": remove_lines(workspace.settings.home, identity.is_named_in),
        "truth_rows": drop_from_truth(workspace.truth_folder, identity.ids),
        "abandoned_uploads": sweep_uploads(workspace.settings.home),
    }

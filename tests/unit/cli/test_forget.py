from chatlift.cli.forget import question, report_lines
from chatlift.store.forgetting import Receipt, TrainedVersion
from chatlift.store.known_contacts import KnownContact
from chatlift.workflows.forget import ForgetReport

ANA = KnownContact(contact_id=1, source="shop", external_id="c1", name="Ana", phone=None)
MARKED = TrainedVersion(model="churn", number=2, contact_count=1)
RECEIPT = Receipt(
    counts={"messages": 1200, "leads": 0, "rejected_rows": 2}, versions=(MARKED,), is_removed=True
)


def test_a_person_is_asked_about_every_contact_that_goes() -> None:
    asked = question([ANA, KnownContact(**vars(ANA) | {"source": "chats", "external_id": "34"})])
    assert "c1 of shop, 34 of chats" in asked
    assert "cannot be undone" in asked


def test_the_receipt_tells_what_went_and_what_to_train_again() -> None:
    lines = report_lines(ForgetReport(receipt=RECEIPT, is_compact=True))
    assert lines == [
        "Forgotten:",
        "  messages: 1,200",
        "  rejected rows: 2",
        "churn v2 was trained on it, and is marked so.",
        "Train again to be free of what they learned from it: chatlift train",
    ]


def test_bytes_that_may_be_left_are_a_warning() -> None:
    lines = report_lines(ForgetReport(receipt=RECEIPT, is_compact=False))
    assert lines[-1].startswith("Warning: another process")
    assert "again" in lines[-1]


def test_nothing_to_forget_is_said_so() -> None:
    assert report_lines(ForgetReport(receipt=None, is_compact=True)) == [
        "Nothing was left to forget."
    ]

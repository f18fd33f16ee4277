from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest

from chatlift.sources.signatures import chatwoot_signature_is_valid, signature_is_valid

BODY = b'{"object": "whatsapp_business_account"}'
NOW = datetime(2026, 3, 1, tzinfo=UTC)
STAMP = str(int(NOW.timestamp()))


def signed(body: bytes, secret: str) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def test_a_known_vector_is_valid() -> None:
    # RFC 4231, test case 2.
    digest = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert signature_is_valid(b"what do ya want for nothing?", f"sha256={digest}", ["Jefe"])


def test_both_secrets_hold_while_one_is_exchanged_for_the_other() -> None:
    for secret in ("old", "new"):
        assert signature_is_valid(BODY, signed(BODY, secret), ["old", "new"])
    assert not signature_is_valid(BODY, signed(BODY, "stolen"), ["old", "new"])


@pytest.mark.parametrize("header", ["", "sha256=", "sha256", "ü", signed(BODY, "s")[7:], "sha1=1"])
def test_what_is_no_signature_is_not_valid(header: str) -> None:
    assert not signature_is_valid(BODY, header, ["s"])


def test_another_body_or_no_secret_is_not_valid() -> None:
    assert not signature_is_valid(BODY + b" ", signed(BODY, "s"), ["s"])
    assert not signature_is_valid(BODY, signed(BODY, ""), [])
    assert not signature_is_valid(BODY, signed(BODY, ""), [""])


def test_chatwoot_signs_the_time_too() -> None:
    header = signed(STAMP.encode() + b"." + BODY, "s")
    assert chatwoot_signature_is_valid(BODY, header, STAMP, ["s"], now=NOW)
    later = NOW + timedelta(minutes=6)
    assert not chatwoot_signature_is_valid(BODY, header, STAMP, ["s"], now=later)
    other = str(int(later.timestamp()))
    assert not chatwoot_signature_is_valid(BODY, header, other, ["s"], now=later)
    for stamp in ("", "soon", "٣", "9" * 400):
        assert not chatwoot_signature_is_valid(BODY, header, stamp, ["s"], now=NOW)

"""The installation's secret: a file beside the database that is made once and never guessed at.

It keys the hashes of words and of forgotten contacts, so that neither the database nor an artifact
alone can be searched for a person. Under another secret the same words hash to other places:
scores change without a word, and nobody forgotten is recognised. So the database keeps the
secret's fingerprint, and a file that does not match it is refused.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import literal, select

from chatlift.errors import Unavailable
from chatlift.private_files import create_private, make_private_folder
from chatlift.store.bulk import table_of
from chatlift.store.database import Database
from chatlift.store.installation import keep_secret_fingerprint, secret_fingerprint_of
from chatlift.store.registry_tables import VersionRow
from chatlift.store.tables import ForgottenRow

SECRET_FILE = "secret.key"  # noqa: S105 - the name of a file
SECRET_BYTES = 32
FINGERPRINT_LENGTH = 32
WRITTEN = re.compile(rb"\s*([0-9a-fA-F]{64})\s*")
KEYED_BY_IT = (table_of(VersionRow), table_of(ForgottenRow))
"""What cannot be used under another secret."""


MANIFEST_FIELD = "secret_fingerprint"
"""Tells in the manifest of a version under which secret its words were hashed."""


class UnusableSecret(Unavailable):
    """The secret is missing, damaged or another installation's; none is made in its place."""

    def __init__(self, path: Path, found: str) -> None:
        super().__init__(
            f"The secret {path} cannot be used: {found}. Under another secret scores would "
            "silently change and forgotten contacts would not be recognised. Put the secret.key of "
            "this database back, from a backup of the data folder or from another machine that "
            "works with it (CHATLIFT_HOME names the folder). If it is lost for good, begin with a "
            "new database."
        )


class OtherSecret(Unavailable):
    """A version was trained under another secret than the database is used with."""

    def __init__(self, title: str, found: str, kept: str) -> None:
        super().__init__(
            f"{title} was trained under the secret with the fingerprint {found}, and this database "
            f"is used with {kept}: its scores would silently be others. Promote a version that was "
            "trained here, or train again."
        )


def secret_for(database: Database, home: Path) -> bytes:
    """Return the secret of a database, 32 bytes; made on the first use of a new one.

    Raises
    ------
    UnusableSecret
        If the file is missing while the database rests on one, holds no 64 hexadecimal digits, or
        holds another secret than the database was used with.
    """
    path = home / SECRET_FILE
    kept = secret_fingerprint_of(database)
    secret = _read(path)
    if secret is None:
        if kept is not None or _rests_on_a_secret(database):
            raise UnusableSecret(path, "it is missing, and the database was used with one")
        secret = _made(path)
    if kept is None:
        kept = keep_secret_fingerprint(database, fingerprint_of(secret))
    if kept != fingerprint_of(secret):
        raise UnusableSecret(
            path,
            f"its fingerprint is {fingerprint_of(secret)}, and the database was used with {kept}",
        )
    return secret


def fingerprint_of(secret: bytes) -> str:
    """Return what tells two secrets apart and tells nothing of either."""
    return hmac.digest(secret, b"fingerprint", hashlib.sha256).hex()[:FINGERPRINT_LENGTH]


def refuse_other_secret(database: Database, manifest: Mapping[str, Any], title: str) -> None:
    """Refuse a version whose manifest names another secret; older manifests name none.

    Raises
    ------
    OtherSecret
        If it does.
    """
    found, kept = manifest.get(MANIFEST_FIELD), secret_fingerprint_of(database)
    if found is not None and kept is not None and found != kept:
        raise OtherSecret(title, found, kept)


def _read(path: Path) -> bytes | None:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnusableSecret(path, f"it cannot be read ({type(error).__name__})") from error
    written = WRITTEN.fullmatch(content)
    if written is None:
        raise UnusableSecret(
            path,
            f"it has {len(content)} bytes, which are not {2 * SECRET_BYTES} hexadecimal digits",
        )
    return bytes.fromhex(written[1].decode("ascii"))


def _made(path: Path) -> bytes:
    """Make a secret, unless another process just did; return the one that is there now."""
    try:
        make_private_folder(path.parent)
        create_private(path, secrets.token_hex(SECRET_BYTES).encode("ascii"))
    except OSError as error:
        raise UnusableSecret(path, f"it cannot be made ({type(error).__name__})") from error
    made = _read(path)
    if made is None:
        raise UnusableSecret(path, "it was made, and went away at once")
    return made


def _rests_on_a_secret(database: Database) -> bool:
    """Whether a database older than fingerprints holds something that is keyed by a secret."""
    with database.across_accounts().read() as connection:
        return any(
            connection.scalar(select(literal(1)).select_from(table).limit(1))
            for table in KEYED_BY_IT
        )

"""The platform's tokens, signed with keys of its own that a real server tells."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from chatlift.errors import Unavailable
from chatlift.service.json_web_tokens import JsonWebTokens
from chatlift.settings import JwtSettings
from chatlift.vocabulary import Role

ISSUER, AUDIENCE = "https://platform.example", "chatlift"


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


KEY, STRANGERS_KEY = new_key(), new_key()


class Keys(BaseHTTPRequestHandler):
    """Tells the public key, and counts how often it was asked."""

    asked = 0

    def do_GET(self) -> None:
        Keys.asked += 1
        told = RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True) | {"kid": "one", "use": "sig"}
        body = json.dumps({"keys": [told]}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Keys)
    thread = Thread(target=partial(server.serve_forever, poll_interval=0.01))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/keys"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def tokens(address: str) -> JsonWebTokens:
    return JsonWebTokens(JwtSettings(jwks_url=address, issuer=ISSUER, audience=AUDIENCE))


def claims(**others: Any) -> dict[str, Any]:
    told = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "exp": datetime.now(UTC) + timedelta(hours=1),
        "sub": "user-7",
        "chatlift_account": "shop",
        "chatlift_role": "operator",
    }
    return {name: value for name, value in (told | others).items() if value is not None}


def signed(key: Any = KEY, algorithm: str = "RS256", kid: str = "one", **others: Any) -> str:
    return jwt.encode(claims(**others), key, algorithm, headers={"kid": kid})


def test_a_right_token_tells_account_role_and_caller(tokens: JsonWebTokens) -> None:
    found = tokens.claims_of(signed())
    assert found is not None
    assert (found.account, found.role, found.subject) == ("shop", Role.OPERATOR, "user-7")


@pytest.mark.parametrize(
    "others",
    [
        {"iss": "https://other.example"},
        {"iss": None},
        {"aud": "another service"},
        {"aud": None},
        {"exp": datetime(2020, 1, 1, tzinfo=UTC)},
        {"exp": None},
        {"exp": 1_795_829_538_000},
        {"chatlift_account": None},
        {"chatlift_account": 7},
        {"chatlift_role": None},
        {"chatlift_role": "owner"},
        {"chatlift_role": ["admin"]},
        {"key": STRANGERS_KEY},
        {"kid": "two"},
        {"algorithm": "RS512"},
        {"algorithm": "HS256", "key": "x" * 32},
        {"algorithm": "none", "key": None},
    ],
)
def test_a_token_with_anything_wrong_is_not_believed(
    tokens: JsonWebTokens, others: dict[str, Any]
) -> None:
    assert tokens.claims_of(signed(**others)) is None


@pytest.mark.parametrize("text", ["", "a.b.c", "é", "a" * 10_000, signed()[:-8]])
def test_what_is_no_token_is_not_believed(tokens: JsonWebTokens, text: str) -> None:
    assert tokens.claims_of(text) is None


def test_keys_are_kept_also_against_tokens_with_made_up_names(tokens: JsonWebTokens) -> None:
    tokens.claims_of(signed())
    asked = Keys.asked
    for number in range(5):
        assert tokens.claims_of(signed(kid=f"made up {number}")) is None
        assert tokens.claims_of(signed()) is not None
    assert Keys.asked == asked


def test_other_claims_may_be_chosen(address: str) -> None:
    settings = JwtSettings(
        jwks_url=address,
        issuer=ISSUER,
        audience=AUDIENCE,
        account_claim="tenant",
        role_claim="level",
    )
    found = JsonWebTokens(settings).claims_of(signed(tenant="bakery", level="viewer"))
    assert found is not None
    assert (found.account, found.role) == ("bakery", Role.VIEWER)


def test_without_the_keys_nothing_is_believed_and_it_is_said_why() -> None:
    settings = JwtSettings(jwks_url="http://127.0.0.1:9/keys", issuer=ISSUER, audience=AUDIENCE)
    with pytest.raises(Unavailable, match="keys cannot be fetched"):
        JsonWebTokens(settings).claims_of(signed())


@pytest.mark.parametrize(
    "others",
    [
        {"exp": "9999999999"},
        {"exp": [9999999999]},
        {"sub": "user \ud800"},
        {"chatlift_account": "shop\udfff"},
    ],
)
def test_odd_claims_are_not_believed(tokens: JsonWebTokens, others: dict[str, Any]) -> None:
    """They were answered 500: a text as an instant, half of a surrogate pair."""
    assert tokens.claims_of(signed(**others)) is None

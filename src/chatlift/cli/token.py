"""`chatlift token`: what programs show to call the service for this account."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated

import typer

from chatlift.cli import options
from chatlift.cli.json_text import json_text
from chatlift.cli.lazy import new_app
from chatlift.cli.reading import as_usage
from chatlift.cli.surroundings import desk, workspace
from chatlift.registry.tokens import NewToken, Token, Tokens
from chatlift.vocabulary import Role

app = new_app(help_text="Make, list or revoke the tokens by which programs call the service.")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What it is for, such as shop-phone.")],
    role: Annotated[
        Role,
        typer.Option(help="viewer reads; operator also trains and writes; admin also deletes."),
    ] = Role.VIEWER,
    days: Annotated[int, typer.Option(min=1, max=3650, help="It expires after so many.")] = 90,
    forever: Annotated[bool, typer.Option("--forever", help="It never expires.")] = False,
    bare: Annotated[
        bool, typer.Option("--bare", help="Print the token and nothing else, for a script.")
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Make a token of this account; its text is shown this once.

    Example: chatlift token create shop-phone --role operator
    """
    with desk(quiet=True, as_json=as_json) as at, workspace() as opened, as_usage():
        now = at.clock()
        expires_at = None if forever else now + timedelta(days=days)
        tokens = Tokens(opened.database, opened.account.account_id)
        made = tokens.create(name, role, now=now, expires_at=expires_at)
    if as_json:
        sys.stdout.write(json_text(asdict(made.token) | {"token": made.secret}) + "\n")
    else:
        # Past the desk, which may write along what is said: the text is shown once, to a person.
        sys.stdout.write("\n".join([made.secret] if bare else made_lines(made)) + "\n")


@app.command("list")
def list_tokens(as_json: options.AsJson = False) -> None:
    """List the tokens of this account, the newest first; their texts are not kept.

    Example: chatlift token list
    """
    with desk(quiet=True, as_json=as_json) as at, workspace() as opened:
        found = Tokens(opened.database, opened.account.account_id).list()
        at.console.say(token_lines(found, at.clock()))
        if as_json:
            sys.stdout.write(json_text([asdict(token) for token in found]) + "\n")


@app.command()
def revoke(
    token_id: Annotated[int, typer.Argument(metavar="NUMBER", help="As `token list` shows it.")],
) -> None:
    """Let a token open nothing any more; running services know within a second.

    Example: chatlift token revoke 3
    """
    with desk(quiet=True) as at, workspace() as opened:
        tokens = Tokens(opened.database, opened.account.account_id)
        revoked = tokens.revoke(token_id, now=at.clock())
        at.console.say(f"Token {revoked.token_id} ({revoked.name}) opens nothing any more.")


def made_lines(made: NewToken) -> list[str]:
    """Return what is said of a new token, with its text."""
    token = made.token
    until = f"until {token.expires_at:%Y-%m-%d}" if token.expires_at else "for ever"
    return [
        f"Token {token.token_id} ({token.name}) is {_article(token.role)} {token.role}'s, "
        f"valid {until}. Keep it now, it is not shown again:",
        made.secret,
    ]


def token_lines(tokens: tuple[Token, ...], now: datetime) -> list[str]:
    """Return one line per token: number, role, state, last use, name."""
    if not tokens:
        return ["There are no tokens. Make one with `chatlift token create NAME`."]
    heading = f"{'number':>6}  {'role':<8}  {'state':<18}  {'last used (UTC)':<16}  name"
    return [heading, *(_line(token, now) for token in tokens)]


def _line(token: Token, now: datetime) -> str:
    used = f"{token.last_used_at:%Y-%m-%d %H:%M}" if token.last_used_at else "never"
    state = _state(token, now)
    return f"{token.token_id:>6}  {token.role:<8}  {state:<18}  {used:<16}  {token.name}"


def _state(token: Token, now: datetime) -> str:
    if token.revoked_at is not None:
        return f"revoked {token.revoked_at:%Y-%m-%d}"
    if token.expires_at is None:
        return "valid for ever"
    word = "until" if token.is_valid(now) else "expired"
    return f"{word} {token.expires_at:%Y-%m-%d}"


def _article(role: Role) -> str:
    return "a" if role is Role.VIEWER else "an"

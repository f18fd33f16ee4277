"""How records of one source become rows: merged with what is there, never twice.

Writing the same records again changes nothing. What a record says first stays, with these
exceptions, which make the order of imports indifferent: empty fields of a contact are filled, and
of two files' words the newer file's counts; of two cancellations the earlier; of two outcomes of a
lead the one that came later. Between words of one date their content decides. Messages and facts
are only ever added.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl
from sqlalchemy import Connection, select

from chatlift.store.base import Base
from chatlift.store.bulk import (
    among,
    insert_new,
    read_columns,
    stored_number,
    table_of,
    update_rows,
)
from chatlift.store.known_ids import KnownIds
from chatlift.store.outcomes import Check, TableCounts, one_of, required, split
from chatlift.store.tables import ContactRow, ConversationRow, FactRow, LeadRow, MessageRow
from chatlift.vocabulary import Direction, FactSubject, LeadOutcome

LONGEST_DIGESTED_AS_IS = 48
UNTOLD = (None, "")

SUBJECT_ROWS: dict[FactSubject, tuple[type[Base], str]] = {
    FactSubject.CONTACT: (ContactRow, "contact_id"),
    FactSubject.LEAD: (LeadRow, "lead_id"),
    FactSubject.MESSAGE: (MessageRow, "message_id"),
}


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Whose records are written, on which connection."""

    connection: Connection
    account_id: int
    source: str
    imported_at: datetime | None = None
    """Facts dated so are known by this import only: one that repeats the newest value is
    no news."""
    told_at: datetime | None = None
    """Date of the file that tells; None: there is none, and words only fill what is empty."""
    ids: KnownIds = field(default_factory=KnownIds)
    """What an import knows already from its earlier pieces."""


Written = tuple[TableCounts, pl.DataFrame]
"""What became of a chunk, and its rejections."""


def write_contacts(scope: Scope, chunk: pl.DataFrame) -> Written:
    """Add new contacts, fill empty fields of known ones and let newer files' words count."""
    good, rejected = split(chunk, "contacts", required(["external_id", "created_at"]))
    merged = _one_telling(scope, good)
    columns = [*WORDS_OF_CONTACT, *TOLD_AT.values(), "churned_at"]
    known = _known(scope, ContactRow, "contact_id", merged["external_id"], columns)
    met = merged.join(known, on="external_id", how="left", suffix="_known")
    inserted = _insert(scope, ContactRow, met.filter(pl.col("contact_id").is_null()), merged)
    judged = met.filter(pl.col("contact_id").is_not_null()).with_columns(
        **{f"{name}_wins": _word_wins(name) for name in WORDS_OF_CONTACT},
        churned_at_wins=_new("churned_at", pl.col("churned_at") < pl.col("churned_at_known")),
    )
    won = [*WORDS_OF_CONTACT, "churned_at"]
    is_changed = pl.any_horizontal(f"{name}_wins" for name in won)
    is_retold = pl.any_horizontal(_is_retold(name) for name in WORDS_OF_CONTACT)
    kept = [pl.when(f"{n}_wins").then(n).otherwise(f"{n}_known").alias(n) for n in won]
    dates = [pl.max_horizontal(at, f"{at}_known").alias(at) for at in TOLD_AT.values()]
    update_rows(
        scope.connection,
        table_of(ContactRow),
        judged.filter(is_changed | is_retold).select("contact_id", *kept, *dates),
    )
    return _counts(good, rejected, inserted, judged.filter(is_changed).height), rejected


WORDS_OF_CONTACT = ("name", "phone")
TOLD_AT = {name: f"{name}_told_at" for name in WORDS_OF_CONTACT}


def _one_telling(scope: Scope, contacts: pl.DataFrame) -> pl.DataFrame:
    """Return one row per contact: what the rows of one file say of it together."""
    words = [pl.col(name).drop_nulls() for name in WORDS_OF_CONTACT]
    told_at = pl.lit(scope.told_at, pl.Datetime("us", "UTC"))
    return (
        contacts.group_by("external_id", maintain_order=True)
        .agg(
            pl.col("created_at").first() if scope.told_at is None else pl.col("created_at").min(),
            pl.col("churned_at").min(),
            *(word.first() if scope.told_at is None else word.max() for word in words),
        )
        .with_columns(
            pl.when(pl.col(name).is_not_null()).then(told_at).alias(at)
            for name, at in TOLD_AT.items()
        )
    )


def _new(name: str, is_better: pl.Expr) -> pl.Expr:
    """Tell whether a value takes the place of the one there is, if any."""
    is_better = pl.col(f"{name}_known").is_null() | is_better.fill_null(value=False)
    return pl.col(name).is_not_null() & is_better


def _word_wins(name: str) -> pl.Expr:
    told, known = pl.col(TOLD_AT[name]), pl.col(f"{TOLD_AT[name]}_known")
    is_newer = told.is_not_null() & (known.is_null() | (told > known))
    is_greater = (told == known) & (pl.col(name) > pl.col(f"{name}_known"))
    is_other = pl.col(name) != pl.col(f"{name}_known")
    return _new(name, is_other & (is_newer | is_greater.fill_null(value=False)))


def _is_retold(name: str) -> pl.Expr:
    """Tell whether a newer file says the same again, so that words of between do not count."""
    told, known = pl.col(TOLD_AT[name]), pl.col(f"{TOLD_AT[name]}_known")
    is_same = pl.col(name) == pl.col(f"{name}_known")
    return (is_same & told.is_not_null() & (known.is_null() | (told > known))).fill_null(
        value=False
    )


def write_conversations(scope: Scope, chunk: pl.DataFrame) -> Written:
    """Add new conversations of known contacts."""
    met = _with_contact(scope, chunk)
    needed = required(["external_id", "contact_external_id", "started_at"])
    good, rejected = split(met, "conversations", [*needed, CONTACT_IS_KNOWN])
    columns = good.select("external_id", "contact_id", "started_at")
    others = columns.filter(~scope.ids.are_found("conversation_id", good["external_id"]))
    inserted = _insert(scope, ConversationRow, others, columns)
    return _counts(good, rejected, inserted), rejected


def write_leads(scope: Scope, chunk: pl.DataFrame) -> Written:
    """Add new leads; give known ones an outcome that became known later than theirs."""
    met = _with_contact(scope, chunk)
    needed = required(["external_id", "contact_external_id", "created_at", "outcome"])
    checks = [*needed, one_of("outcome", list(LeadOutcome)), CONTACT_IS_KNOWN, OUTCOME_IS_DATED]
    good, rejected = split(met, "leads", checks)
    told = good.with_columns(outcome_told_at=_outcome_told_at(scope))
    merged = _newest_outcomes(told) if scope.told_at is None else _best_outcomes(told)
    known = _known(
        scope, LeadRow, "lead_id", merged["external_id"], ["outcome", "closed_at", *KNOWN_AT]
    )
    both = merged.join(known, on="external_id", how="left", suffix="_known")
    columns = merged.drop("contact_external_id", "row_number")
    inserted = _insert(scope, LeadRow, both.filter(pl.col("lead_id").is_null()), columns)
    is_news = _outcome_is_news() if scope.told_at is None else _outcome_is_better()
    changed = both.filter(pl.col("lead_id").is_not_null() & is_news)
    update_rows(
        scope.connection,
        table_of(LeadRow),
        changed.select("lead_id", "outcome", "closed_at", *KNOWN_AT),
    )
    retold = both.filter(pl.col("lead_id").is_not_null() & _outcome_is_retold() & ~is_news)
    update_rows(scope.connection, table_of(LeadRow), retold.select("lead_id", "outcome_told_at"))
    return _counts(good, rejected, inserted, changed.height), rejected


def write_messages(scope: Scope, chunk: pl.DataFrame) -> Written:
    """Add new messages of known contacts and conversations."""
    met = _with_conversation(scope, _with_contact(scope, chunk)).with_columns(
        pl.col("kind").fill_null("text"), pl.col("is_automatic").fill_null(value=False)
    )
    needed = required(["external_id", "contact_external_id", "direction", "sent_at"])
    checks = [
        *needed,
        one_of("direction", list(Direction)),
        CONTACT_IS_KNOWN,
        CONVERSATION_IS_KNOWN,
    ]
    good, rejected = split(met, "messages", checks)
    columns = good.drop("contact_external_id", "conversation_external_id", "row_number")
    inserted = _insert(scope, MessageRow, columns, columns)
    return _counts(good, rejected, inserted), rejected


def write_facts(scope: Scope, chunk: pl.DataFrame) -> Written:
    """Add new dated values of known contacts, leads and messages."""
    needed = required(["subject", "subject_external_id", "name", "known_at"])
    subjects = one_of("subject", list(FactSubject))
    met = _with_subject(scope, chunk)
    good, rejected = split(met, "facts", [*needed, subjects, SUBJECT_IS_KNOWN])
    dated = _with_digest(good)
    news = dated if scope.imported_at is None else _without_repeats(scope, dated)
    columns = news.drop("subject_external_id", "row_number")
    inserted = _insert(scope, FactRow, columns, columns)
    return _counts(good, rejected, inserted), rejected


KNOWN_AT = ("outcome_known_at", "outcome_told_at")

CONTACT_IS_KNOWN = Check(
    column="contact_external_id",
    is_broken=pl.col("contact_id").is_null(),
    reason="no contact of this source has this id; import the contacts first",
)
CONVERSATION_IS_KNOWN = Check(
    column="conversation_external_id",
    is_broken=pl.col("conversation_id").is_null()
    & pl.col("conversation_external_id").is_not_null(),
    reason="no conversation of this source has this id; import the conversations first",
)
SUBJECT_IS_KNOWN = Check(
    column="subject_external_id",
    is_broken=pl.col("subject_id").is_null(),
    reason="no record of this source has this id; import the records first",
)
OUTCOME_IS_DATED = Check(
    column="outcome_known_at",
    is_broken=(pl.col("outcome") != LeadOutcome.OPEN) & pl.col("outcome_known_at").is_null(),
    reason="the lead is closed, and since when that is known is missing",
)


def external_ids(
    scope: Scope, row_class: type[Base], key: str, wanted: pl.Series, columns: list[str]
) -> pl.DataFrame:
    """Return `external_id`, the store's number and `columns` of the wanted records there are."""
    table = table_of(row_class)
    picked = [table.c.external_id, table.c[key], *(table.c[name] for name in columns)]
    statement = select(*(stored_number(c) if c.key.endswith("_at") else c for c in picked)).where(
        table.c.account_id == scope.account_id,
        table.c.source == scope.source,
        among(scope.connection, table.c.external_id, wanted.to_list()),
    )
    types = {name: _type_of(name) for name in ["external_id", key, *columns]}
    return read_columns(scope.connection, statement, pl.Schema(types))


def _type_of(column: str) -> pl.DataType:
    if column.endswith("_at"):
        return pl.Datetime("us", "UTC")
    numbers = {"contact_id", "conversation_id", "lead_id", "message_id"}
    return pl.Int64() if column in numbers else pl.String()


def _known(
    scope: Scope, row_class: type[Base], key: str, wanted: pl.Series, columns: list[str]
) -> pl.DataFrame:
    return external_ids(scope, row_class, key, wanted.drop_nulls().unique(), columns)


def _with_contact(scope: Scope, chunk: pl.DataFrame) -> pl.DataFrame:
    return _with_number(scope, chunk, "contact_external_id", ContactRow, "contact_id")


def _with_conversation(scope: Scope, chunk: pl.DataFrame) -> pl.DataFrame:
    column = "conversation_external_id"
    return _with_number(scope, chunk, column, ConversationRow, "conversation_id")


def _with_number(
    scope: Scope, chunk: pl.DataFrame, column: str, row_class: type[Base], key: str
) -> pl.DataFrame:
    """Add the store's number of the record that each row names in `column`; null: unknown."""

    def ask(names: pl.Series) -> pl.DataFrame:
        return external_ids(scope, row_class, key, names, []).rename({key: "number"})

    return chunk.with_columns(scope.ids.numbers(key, chunk[column], ask).alias(key))


def _with_subject(scope: Scope, chunk: pl.DataFrame) -> pl.DataFrame:
    known = []
    for subject, (row_class, key) in SUBJECT_ROWS.items():
        wanted = chunk.filter(pl.col("subject") == subject)["subject_external_id"]
        ids = _known(scope, row_class, key, wanted, [])
        named = ids.rename({"external_id": "subject_external_id", key: "subject_id"})
        known.append(named.with_columns(pl.lit(str(subject)).alias("subject")))
    keys = ["subject", "subject_external_id"]
    return chunk.join(pl.concat(known), on=keys, how="left", maintain_order="left")


def _newest_outcomes(leads: pl.DataFrame) -> pl.DataFrame:
    """Return one row per lead: the end of its outcomes, each as it first became known."""
    in_time = leads.sort("external_id", "outcome_known_at", nulls_last=False, maintain_order=True)
    once = in_time.unique(
        ["external_id", "outcome_known_at"], keep="first", maintain_order=True
    ).with_columns(pl.col("outcome").shift().over("external_id").alias("before"))
    turns = once.filter(pl.col("before").is_null() | (pl.col("before") != pl.col("outcome")))
    newest = turns.unique("external_id", keep="last", maintain_order=True).drop("before")
    return newest.sort("row_number")


def _outcome_told_at(scope: Scope) -> pl.Expr:
    """Return when each outcome came to be, as far as told; null while open."""
    file_date = pl.lit(scope.told_at, pl.Datetime("us", "UTC"))
    told = pl.coalesce("closed_at", file_date, "outcome_known_at")
    return pl.when(pl.col("outcome") != LeadOutcome.OPEN).then(told)


OUTCOME_ORDER = ("is_closed", "is_dated", "outcome_told_at", "outcome")
"""Of two words on a lead's outcome the greater counts: a closed one, then one with its closing
date, then the later one, then the one whose name comes later."""


def _outcome_rank(suffix: str = "") -> list[pl.Expr]:
    """Return what `OUTCOME_ORDER` compares, never null."""
    told_at = pl.coalesce(f"outcome_told_at{suffix}", f"outcome_known_at{suffix}")
    return [
        (pl.col(f"outcome{suffix}") != LeadOutcome.OPEN).fill_null(value=False),
        pl.col(f"closed_at{suffix}").is_not_null(),
        told_at.to_physical().fill_null(0),
        pl.col(f"outcome{suffix}"),
    ]


def _best_outcomes(leads: pl.DataFrame) -> pl.DataFrame:
    """Return one row per lead: the greatest word of one file on its outcome."""
    ranks = dict(zip((f"rank_{name}" for name in OUTCOME_ORDER), _outcome_rank(), strict=True))
    ordered = leads.with_columns(**ranks).sort([*ranks], maintain_order=True)
    best = ordered.unique("external_id", keep="last", maintain_order=True)
    return best.drop([*ranks]).sort("row_number")


def _outcome_is_better() -> pl.Expr:
    """Tell whether a word on a lead's outcome is greater than the one there is, and says else."""
    is_greater = pl.lit(value=False)
    for new, known in reversed([*zip(_outcome_rank(), _outcome_rank("_known"), strict=True)]):
        is_greater = (new > known) | ((new == known) & is_greater)
    is_other = (pl.col("outcome") != pl.col("outcome_known")) | (
        pl.col("closed_at").ne_missing(pl.col("closed_at_known"))
    )
    return (is_greater & is_other).fill_null(value=False)


def _outcome_is_news() -> pl.Expr:
    is_other = pl.col("outcome") != pl.col("outcome_known")
    had_none = pl.col("outcome_known_at_known").is_null()
    is_later = pl.col("outcome_known_at") > pl.col("outcome_known_at_known")
    tells_close = pl.col("closed_at").is_not_null() & pl.col("closed_at_known").is_null()
    turned = is_other & pl.col("outcome_known_at").is_not_null() & (had_none | is_later)
    return (turned | (~is_other & tells_close)).fill_null(value=False)


def _outcome_is_retold() -> pl.Expr:
    """Tell whether the outcome is said again at a later date, so that ones between do not count."""
    is_same = pl.col("outcome") == pl.col("outcome_known")
    is_alike = pl.col("closed_at").eq_missing(pl.col("closed_at_known"))
    before = pl.coalesce("outcome_told_at_known", "outcome_known_at_known")
    return (is_same & is_alike & (pl.col("outcome_told_at") > before)).fill_null(value=False)


def _with_digest(facts: pl.DataFrame) -> pl.DataFrame:
    long = facts.filter(pl.col("value").str.len_bytes() > LONGEST_DIGESTED_AS_IS)["value"].unique()
    digests = {value: f"#{hashlib.sha256(value.encode()).hexdigest()}" for value in long}
    short = pl.concat_str(pl.lit("="), pl.col("value"))
    return facts.with_columns(
        pl.when(pl.col("value").str.len_bytes() > LONGEST_DIGESTED_AS_IS)
        .then(pl.col("value").replace_strict(digests, default=None, return_dtype=pl.String))
        .otherwise(short)
        .fill_null("")
        .alias("value_digest")
    )


def _without_repeats(scope: Scope, facts: pl.DataFrame) -> pl.DataFrame:
    """Leave out what only this import says and the newest value before it says already."""
    key = ["subject", "subject_id", "name"]
    only_now = facts["known_at"] == pl.lit(scope.imported_at, facts["known_at"].dtype)
    newest = _newest_digests(scope, facts.filter(only_now)["subject_id"].unique())
    met = facts.join(newest, on=key, how="left", maintain_order="left")
    repeats = (pl.col("known_at") == scope.imported_at) & (
        pl.col("value_digest") == pl.col("value_digest_known")
    )
    return met.filter(~repeats.fill_null(value=False)).drop("value_digest_known")


def _newest_digests(scope: Scope, subject_ids: pl.Series) -> pl.DataFrame:
    columns = [FactRow.subject, FactRow.subject_id, FactRow.name, FactRow.value_digest]
    statement = (
        select(*columns)
        .where(
            FactRow.account_id == scope.account_id,
            FactRow.source == scope.source,
            FactRow.known_at < scope.imported_at,
            among(scope.connection, FactRow.subject_id.expression, subject_ids.to_list()),
        )
        .order_by(FactRow.known_at, FactRow.fact_id)
    )
    schema = {"subject": pl.String(), "subject_id": pl.Int64(), "name": pl.String()}
    types = pl.Schema(schema | {"value_digest_known": pl.String()})
    stored = read_columns(scope.connection, statement, types)
    return stored.unique(list(schema), keep="last", maintain_order=True)


def _insert(scope: Scope, row_class: type[Base], rows: pl.DataFrame, like: pl.DataFrame) -> int:
    owned = rows.select(like.columns).with_columns(
        pl.lit(scope.account_id).alias("account_id"), pl.lit(scope.source).alias("source")
    )
    return insert_new(scope.connection, table_of(row_class), owned)


def _counts(
    good: pl.DataFrame, rejected: pl.DataFrame, inserted: int, updated: int = 0
) -> TableCounts:
    accepted = inserted + updated
    return TableCounts(
        accepted=accepted,
        updated=updated,
        duplicate=good.height - accepted,
        rejected=rejected.height,
    )

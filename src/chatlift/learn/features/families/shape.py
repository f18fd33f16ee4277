"""Conversation shape: questions, media, length, numbers and emoji in the contact's messages."""

from __future__ import annotations

from chatlift.learn.arrays import Values
from chatlift.learn.features.asof import AsOf, ratio
from chatlift.learn.features.declare import Compute, Feature
from chatlift.learn.features.families.answering import smoothed_share
from chatlift.learn.features.families.volume import CountWords, count
from chatlift.learn.features.reading import Counted, Number, Percent, Reading

NONE_IN_90 = "the contact did not write in the last 90 days, or not all was observed"
LETTERS = Counted("character", "characters")
NO_WORDS = "the contact has not written any words yet"

QUESTIONS = CountWords(
    meaning="messages from the contact with a question mark",
    unit="messages",
    high="asks many questions",
    low="asks few questions",
    fact="wrote {} with a question",
    usual="most {}",
)
MEDIA = CountWords(
    meaning="pictures, voice notes, files and other media from the contact",
    unit="messages",
    high="shares many pictures, voice notes or files",
    low="shares few pictures, voice notes or files",
    fact="sent {} with a picture, voice note or file",
    usual="most {}",
)


def _mean_characters(days: int | None) -> Compute:
    return lambda asof: ratio(asof.total("characters_in", days), asof.total("has_words_in", days))


def _length_trend(asof: AsOf) -> Values:
    recent, usual = _mean_characters(30)(asof), _mean_characters(None)(asof)
    return (recent + 10) / (usual + 10)


def _share_90(name: str, measure: str, meaning: str, held: str, words: tuple[str, str]) -> Feature:
    high, low = words
    return Feature(
        name=name,
        meaning=f"share of the contact's messages in the last 90 days {meaning}, smoothed",
        unit="share",
        maximum=1.0,
        null_means=NONE_IN_90,
        group="shape",
        high=high,
        low=low,
        reading=Reading(
            quantity=Percent(),
            high=f"in the last 90 days {{}} messages {held}",
            usual="most {}",
            whole="messages_received_count_90d",
        ),
        compute=lambda asof: smoothed_share(asof.total(measure, 90), asof.total("is_in", 90)),
    )


FEATURES = (
    count("questions_received_count", "is_question_in", 7, QUESTIONS, "shape"),
    count("questions_received_count", "is_question_in", 30, QUESTIONS, "shape"),
    count("questions_received_count", "is_question_in", None, QUESTIONS, "shape"),
    _share_90(
        "questions_received_share_90d",
        "is_question_in",
        "with a question mark",
        "held a question",
        ("often asks", "seldom asks"),
    ),
    count("media_received_count", "is_media_in", 30, MEDIA, "shape"),
    _share_90(
        "media_received_share_90d",
        "is_media_in",
        "that are pictures, voice notes, files or other media",
        "were pictures, voice notes or files",
        ("often shares pictures, voice notes or files", "seldom shares media"),
    ),
    _share_90(
        "emoji_received_share_90d",
        "has_emoji_in",
        "with an emoji",
        "held an emoji",
        ("often writes emoji", "seldom writes emoji"),
    ),
    _share_90(
        "numbers_received_share_90d",
        "has_digit_in",
        "with a number in them",
        "held a number, date or price",
        ("often writes numbers, dates or prices", "seldom writes numbers, dates or prices"),
    ),
    Feature(
        name="characters_received_mean_30d",
        meaning="mean length of the contact's written messages in the last 30 days",
        unit="characters",
        null_means="no words from the contact in the last 30 days, or not all was observed",
        group="shape",
        high="writes long messages",
        low="writes short messages",
        reading=Reading(
            quantity=LETTERS,
            high="wrote {} a message in the last 30 days",
            usual="most {}",
        ),
        compute=_mean_characters(30),
    ),
    Feature(
        name="characters_received_mean",
        meaning="mean length of all of the contact's written messages",
        unit="characters",
        null_means=NO_WORDS,
        group="shape",
        high="writes long messages",
        low="writes short messages",
        reading=Reading(
            quantity=LETTERS,
            high="writes {} a message",
            usual="most {}",
        ),
        compute=_mean_characters(None),
    ),
    Feature(
        name="characters_received_trend_30d",
        meaning="mean length of written messages, last 30 days against all, ten added to both",
        unit="times",
        null_means="no words from the contact in the last 30 days, or not all was observed",
        group="shape",
        high="writes longer messages than before",
        low="writes shorter messages than before",
        reading=Reading(
            quantity=Number(),
            high="messages of the last 30 days are {} times as long as before",
            usual="usually {} times",
        ),
        compute=_length_trend,
    ),
    Feature(
        name="last_message_in_characters_count",
        meaning="length of the contact's last written message",
        unit="characters",
        null_means=NO_WORDS,
        group="shape",
        high="the last message was long",
        low="the last message was short",
        reading=Reading(
            quantity=LETTERS,
            high="the last message had {}",
            usual="most {}",
        ),
        compute=lambda asof: asof.last_value("characters_in", "has_words_in"),
    ),
    Feature(
        name="last_message_in_is_question",
        meaning="whether the contact's last message holds a question mark",
        unit="yes or no",
        maximum=1.0,
        null_means="the contact has not written yet",
        group="shape",
        high="last asked something",
        low="did not ask anything last",
        compute=lambda asof: asof.last_value("is_question_in", "is_in"),
    ),
)
"""Declared features of this family."""

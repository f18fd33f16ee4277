"""What one message is: its kind, its words, edited or deleted."""

import pytest

from chatlift.sources.whatsapp_export.contents import Content, content_of

MARK = "\u200e"


def kind_and_text(raw: str) -> tuple[str, str | None]:
    content = content_of(raw)
    return content.kind, content.text


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        ("<Media omitted>", "media"),
        ("<Medien ausgeschlossen>", "media"),
        ("<Multimedia omitido>", "media"),
        ("<Arquivo de mídia oculto>", "media"),
        ("<Médias omis>", "media"),
        ("<Media omessi>", "media"),
        (f"{MARK}image omitted", "image"),
        ("Bild weggelassen", "image"),
        (f"{MARK}imagen omitida", "image"),
        (f"{MARK}vidéo absente", "video"),
        (f"{MARK}audio omesso", "audio"),
        (f"{MARK}figurinha omitida", "sticker"),
        (f"{MARK}GIF omitted", "image"),
        (f"{MARK}document omitted", "document"),
        (f"{MARK}Contact card omitted", "contact"),
        ("IMG-20240101-WA0001.jpg (file attached)", "image"),
        ("VID-20240101-WA0001.mp4 (archivo adjunto)", "video"),
        ("PTT-20240101-WA0001.opus (Datei angehängt)", "audio"),
        ("STK-20240101-WA0001.webp (fichier joint)", "sticker"),
        ("Menu of May.pdf (file allegato)", "document"),
        ("Ana.vcf (arquivo anexado)", "contact"),
        (f"{MARK}<attached: 00000042-PHOTO-2025-01-15-22-41-20.jpg>", "image"),
        (f"{MARK}<Anhang: 00000007-AUDIO-2025-01-15.opus>", "audio"),
        (f"{MARK}<pièce jointe : 00000007-STICKER-2025-01-15.webp>", "sticker"),
        (f"{MARK}<adjunto: 00000007-VIDEO-2025-01-15.mp4>", "video"),
        ("This message was deleted", "deleted"),
        (f"{MARK}You deleted this message.", "deleted"),
        ("This message was deleted by admin Ana", "deleted"),
        ("Diese Nachricht wurde gelöscht.", "deleted"),
        ("Se eliminó este mensaje.", "deleted"),
        ("Mensagem apagada", "deleted"),
        ("Ce message a été supprimé", "deleted"),
        ("Questo messaggio è stato eliminato", "deleted"),
        ("live location shared", "location"),
        (f"{MARK}Missed voice call, {MARK}Tap to call back", "call"),
        (f"{MARK}Voice call, {MARK}2 min", "call"),
        (f"{MARK}Verpasster Videoanruf um 10:30", "call"),
        (f"{MARK}Videollamada perdida", "call"),
        ("null", "unsupported"),
        ("", "unsupported"),
    ],
)
def test_what_has_no_words_is_known_by_its_kind(raw: str, kind: str) -> None:
    assert kind_and_text(raw) == (kind, None)


@pytest.mark.parametrize(
    ("raw", "kind", "text"),
    [
        ("IMG-1.jpg (file attached)\nour menu\nof May", "image", "our menu\nof May"),
        ("<Media omitted>\nour menu", "media", "our menu"),
        (f"our menu {MARK}<attached: 00000042-PHOTO-2025.jpg>", "image", "our menu"),
        (f"{MARK}<attached: 00000042-PHOTO-2025.jpg>\nour menu", "image", "our menu"),
        (
            f"Menu.pdf \u2022 {MARK}2 pages {MARK}document omitted",
            "document",
            "Menu.pdf \u2022 2 pages",
        ),
    ],
)
def test_a_caption_is_the_text_of_what_it_belongs_to(raw: str, kind: str, text: str) -> None:
    assert kind_and_text(raw) == (kind, text)


@pytest.mark.parametrize(
    "raw",
    [
        "image omitted by mistake, sorry",
        "image omitted\nwhy?",
        "This message was deleted, was it not?",
        "Voice call, please",
        "missed voice calls are bad",
        "POLL: yes or no?",
        "the menu (file attached) follows",
        "I saw <attached: it> there",
        "null and void",
        "where is <This message was edited> in the export?",
    ],
)
def test_a_person_who_uses_the_same_words_wrote_a_text(raw: str) -> None:
    assert content_of(raw) == Content(kind="text", text=raw)


@pytest.mark.parametrize(
    "mark",
    [
        "<This message was edited>",
        f"{MARK}<This message was edited>",
        "<Diese Nachricht wurde bearbeitet.>",
        "<Se editó este mensaje.>",
        "<Mensagem editada>",
        "<Ce message a été modifié>",
        "<Questo messaggio è stato modificato>",
    ],
)
def test_an_edited_message_keeps_its_words_without_the_mark(mark: str) -> None:
    assert content_of(f"see you\nat five {mark}") == Content(
        kind="text", text="see you\nat five", is_edited=True
    )


def test_a_place_is_known_in_any_language() -> None:
    place = "Ubicación: https://maps.google.com/?q=50.9425526,6.9523387"
    assert kind_and_text(place) == ("location", place)


def test_a_poll_keeps_its_question_and_options_without_the_votes() -> None:
    poll = (
        f"{MARK}POLL:\nWhen?\n{MARK}OPTION: Monday ({MARK}2 votes)\n{MARK}OPTION: never (0 votes)"
    )
    assert kind_and_text(poll) == ("poll", "When?\nOPTION: Monday\nOPTION: never")


def test_invisible_marks_and_blank_ends_are_taken_off_words() -> None:
    assert kind_and_text(f"{MARK}Schick \u202aeine\u202c\ufeff!  \n\n") == ("text", "Schick eine!")


def test_joiners_inside_of_emoji_stay() -> None:
    assert kind_and_text("\U0001f937\u200d\u2640\ufe0f") == ("text", "\U0001f937\u200d\u2640\ufe0f")

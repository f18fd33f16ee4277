"""Writes chats as the phones do, so that tests can read them back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

ME = "Shop"
ALEX = "Alex"


@dataclass(frozen=True, kw_only=True)
class Said:
    """One message, by the phone's clock."""

    at: datetime
    sender: str
    text: str


def half(at: datetime, am: str, pm: str) -> str:
    return f"{at.hour % 12 or 12}:{at:%M} {pm if at.hour >= 12 else am}"


FORMATS: dict[str, Callable[[datetime], str]] = {
    "android, British": lambda at: f"{at:%d/%m/%Y, %H:%M} - ",
    "android, American": lambda at: f"{at.month}/{at.day}/{at:%y}, {half(at, 'AM', 'PM')} - ",
    "android, Spanish": lambda at: f"{at.day}/{at.month}/{at:%y}, {half(at, 'a. m.', 'p. m.')} - ",
    "android, German": lambda at: f"{at:%d.%m.%y, %H:%M} - ",
    "android, Brazilian": lambda at: f"{at:%d/%m/%Y %H:%M} - ",
    "android, Dutch": lambda at: f"{at:%d-%m-%Y %H:%M} - ",
    "android, Japanese": lambda at: f"{at:%Y/%m/%d, %H:%M} - ",
    "ios, British": lambda at: f"[{at:%d/%m/%Y, %H:%M:%S}] ",
    "ios, American": lambda at: (
        f"\u200e[{at.month}/{at.day}/{at:%y}, {at.hour % 12 or 12}:{at:%M:%S}\u202f{at:%p}] "
    ),
    "ios, German": lambda at: f"[{at:%d.%m.%y, %H:%M:%S}] ",
    "ios, Finnish": lambda at: f"[{at.day}.{at.month}.{at.year} klo {at:%H.%M.%S}] ",
    "ios, Korean": lambda at: (
        f"[{at.year}. {at.month}. {at.day}. {'오후' if at.hour >= 12 else '오전'} "
        f"{at.hour % 12 or 12}:{at:%M:%S}] "
    ),
    "ios, Chinese": lambda at: (
        f"[{at.year}/{at.month}/{at.day} {'下午' if at.hour >= 12 else '上午'}"
        f"{at.hour % 12 or 12}:{at:%M:%S}] "
    ),
    "whatstk": lambda at: f"[{at:%d-%m-%y %H:%M:%S}] ",
}
MONTH_FIRST = {"android, American", "ios, American"}


def written(messages: Iterable[Said], form: str = "android, British") -> str:
    stamp = FORMATS[form]
    return "".join(f"{stamp(m.at)}{m.sender}: {m.text}\n" for m in messages)


def export_file(folder: Path, text: str, name: str = "WhatsApp Chat with Alex.txt") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8", newline="")
    return path

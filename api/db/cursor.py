"""Where the next page of a list begins, as a text that only this file can read."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode


class BadCursor(ValueError):
    """Not a cursor that a page gave."""


def encode(number: int) -> str:
    """The cursor after the row with this number."""
    return urlsafe_b64encode(f"1:{number}".encode()).decode().rstrip("=")


def decode(cursor: str) -> int:
    """The number in a cursor. Raises BadCursor."""
    try:
        version, text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii").split(":")
        number = int(text)
    except ValueError as error:
        raise BadCursor("not a cursor of this list") from error
    if version != "1" or not 0 < number < 2**31:
        raise BadCursor("not a cursor of this list")
    return number

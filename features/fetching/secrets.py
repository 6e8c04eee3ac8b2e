"""Keys: where they are sent to, and that they are shown nowhere."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable
from html import escape
from urllib.parse import quote, quote_plus

#: A shorter value is no key, and hiding it would tear words apart.
_SHORTEST = 4


class Secrets:
    """The keys in force, to be kept out of everything that is written.

    Parameters
    ----------
    values : iterable of str
        Keys; empty ones are passed over.
    """

    def __init__(self, values: Iterable[str]) -> None:
        self._texts: list[str] = []
        self._bytes: list[bytes] = []
        for value in values:
            self.add(value)

    def add(self, value: str) -> None:
        """Keep one more key out of everything, such as a token that was given for a password.

        Parameters
        ----------
        value : str
            The key; passed over if it is too short to be one.
        """
        if len(value) < _SHORTEST:
            return
        # A key goes out in basic authentication, and in forms, which are other spellings of it;
        # it comes back in JSON, in HTML, and in messages of Python.
        basic = b64encode(f"{value}:".encode(errors="surrogateescape")).decode()
        spelt = {value, basic, escape(value), escape(value, quote=False), repr(value)[1:-1]}
        spelt |= {quote(value, errors="surrogateescape")}
        spelt |= {quote_plus(value, errors="surrogateescape")}
        for ascii_only in (True, False):
            in_json = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
            spelt |= {in_json, in_json.replace("/", "\\/")}
        self._texts = sorted({*self._texts, *spelt}, key=len, reverse=True)
        self._bytes = [text.encode(errors="surrogateescape") for text in self._texts]

    @property
    def longest(self) -> int:
        """Bytes of the longest key; 0 without any."""
        return max((len(raw) for raw in self._bytes), default=0)

    def hide(self, text: str) -> str:
        """Return a text with every key in it replaced.

        Parameters
        ----------
        text : str
            What is to be written or shown.

        Returns
        -------
        str
        """
        for key in self._texts:
            text = text.replace(key, "[key]")
        return text

    def are_in(self, raw: bytes) -> bool:
        """Return whether a key stands in the bytes.

        Parameters
        ----------
        raw : bytes
            Part of an answer.

        Returns
        -------
        bool
        """
        return any(key in raw for key in self._bytes)

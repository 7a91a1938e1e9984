"""Protobuf's text format, as people write it in config.pbtxt.

For: reading a few settings without the messages they belong to, nor protobuf itself.
Must not know: which fields there are, or what they mean.

A message is a dictionary of lists, for any field may be repeated: {"name": ["iris"]}.
"""

import re
from typing import Any

Message = dict[str, list[Any]]  # of str, Word, int, float, or Message

_TOKEN = re.compile(
    r"""(?P<space>(?:\s|\#[^\n]*)+)
    |(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    |(?P<number>-?(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)[fF]?(?![\w.]))
    |(?P<word>-?[A-Za-z_][\w.]*)
    |(?P<mark>[{}<>\[\]:,;])""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\([0-7]{1,3}|x[0-9a-fA-F]{1,2}|u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_CLOSING = {"{": "}", "<": ">"}
_DEPTH_MAX = 50
_TOKENS_MAX = 200_000


class TextFormatError(ValueError):
    """The text is not in the format; the message says on which line."""


class Word(str):
    """A bare word: an enumeration's value, true or false."""

    __slots__ = ()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._split(text)
        self._at = 0

    def _split(self, text: str) -> list[tuple[str, str, int]]:
        found: list[tuple[str, str, int]] = []
        position = 0
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None or len(found) > _TOKENS_MAX:
                raise TextFormatError(
                    f"{_line(text, position)}: {text[position : position + 20]!r}"
                )
            if match.lastgroup != "space":
                found.append((str(match.lastgroup), match[0], position))
            position = match.end()
        return found

    def message(self, closing: str, depth: int) -> Message:
        """The fields up to a closing mark, or to the end of the text."""
        if depth > _DEPTH_MAX:
            raise TextFormatError(f"more than {_DEPTH_MAX} messages in one another")
        found: Message = {}
        while (token := self._next(closing))[1] != closing:
            kind, name, _ = token
            if kind != "word":
                raise self._wrong(token, "a field's name")
            values = found.setdefault(name, [])
            has_colon = self._skip(":")
            if self._skip("["):
                values.extend(self._list(depth))
            elif self._peek() in _CLOSING:
                values.append(self._nested(depth))
            elif has_colon:
                values.append(self._scalar())
            else:
                raise self._wrong(self._next(""), "':' or '{'")
            self._skip(",", ";")
        return found

    def _list(self, depth: int) -> list[Any]:
        found: list[Any] = []
        while not self._skip("]"):
            found.append(self._nested(depth) if self._peek() in _CLOSING else self._scalar())
            if not self._skip(",") and self._peek() != "]":
                raise self._wrong(self._next("]"), "',' or ']'")
        return found

    def _nested(self, depth: int) -> Message:
        return self.message(_CLOSING[self._next("")[1]], depth + 1)

    def _scalar(self) -> Any:
        token = self._next("")
        kind, text, _ = token
        if kind == "string":
            parts = [text]
            while self._at < len(self._tokens) and self._tokens[self._at][0] == "string":
                parts.append(self._next("")[1])
            return "".join(_ESCAPE.sub(_unescaped, part[1:-1]) for part in parts)
        if kind == "number":
            return _number(text)
        if kind == "word":
            return Word(text)
        raise self._wrong(token, "a value")

    def _peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _skip(self, *marks: str) -> bool:
        is_there = self._at < len(self._tokens) and self._tokens[self._at][1] in marks
        self._at += is_there
        return is_there

    def _next(self, closing: str) -> tuple[str, str, int]:
        if self._at < len(self._tokens):
            self._at += 1
            return self._tokens[self._at - 1]
        if not closing and self._at == len(self._tokens):
            self._at += 1
            return "mark", "", len(self._text)
        raise TextFormatError(f"it ends before '{closing or '}'}'")

    def _wrong(self, token: tuple[str, str, int], expected: str) -> TextFormatError:
        _, text, position = token
        return TextFormatError(f"{_line(self._text, position)}: expected {expected}, got '{text}'")


def parse(text: str) -> Message:
    """The fields of a message; TextFormatError says where it is none."""
    return _Reader(text).message("", 0)


def _line(text: str, position: int) -> str:
    return f"line {text.count(chr(10), 0, position) + 1}"


def _number(text: str) -> int | float:
    bare = text.rstrip("fF") if "x" not in text.lower() else text
    try:
        return int(bare, 0)
    except ValueError:
        pass
    digits = bare.lstrip("-")
    return int(bare) if digits.isdigit() else float(bare)


def _unescaped(match: re.Match[str]) -> str:
    code = match[1]
    if code[0] in "01234567":
        return chr(int(code, 8))
    if code[0] in "xu" and len(code) > 1:
        return chr(int(code[1:], 16))
    return _ESCAPES.get(code, code)

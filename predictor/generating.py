"""Text from a language model, a token at a time: sampling, stop strings, pieces of text.

For: one loop for every transformer that writes, as its clients ask: length, warmth, seed, stops.
Must not know: files, HTTP, or which architecture it is; torch is given, not imported.
"""

from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any

from predictor.errors import Fault, RequestError
from predictor.model import Generation, Piece

_BROKEN = "\N{REPLACEMENT CHARACTER}"  # the first bytes of a character of several tokens


class Texts:
    """Tokens to text as it becomes certain: whole characters, and no start of a stop string."""

    def __init__(self, decode: Callable[[list[int]], str], stop: Sequence[str]) -> None:
        self._decode = decode
        self._stop = tuple(one for one in stop if one)
        self._tokens: list[int] = []
        self._start = self._end = 0  # of the tokens whose text is the context of the next
        self._held = ""

    def add(self, token: int) -> tuple[str, bool]:
        """The text that is certain now, and whether a stop string was met."""
        self._tokens.append(token)
        before = self._decode(self._tokens[self._start : self._end])
        after = self._decode(self._tokens[self._start :])
        if not after.endswith(_BROKEN):
            self._held += after[len(before) :]
            self._start, self._end = self._end, len(self._tokens)
        found = [at for one in self._stop if (at := self._held.find(one)) >= 0]
        if found:
            text, self._held = self._held[: min(found)], ""
            return text, True
        keep = max((_overlap(self._held, one) for one in self._stop), default=0)
        at = len(self._held) - keep
        text, self._held = self._held[:at], self._held[at:]
        return text, False

    def rest(self) -> str:
        """What was held back and is certain at the end."""
        before = self._decode(self._tokens[self._start : self._end])
        tail = self._decode(self._tokens[self._start :])[len(before) :]
        text, self._held = self._held + tail, ""
        return text


def check(how: Generation) -> None:
    """Values that no sampling can honour are refused by name."""
    for field, value, is_good, expected in (
        ("max_tokens", how.max_tokens, how.max_tokens >= 1, "1 or more"),
        ("temperature", how.temperature, 0 <= how.temperature <= 100, "0 to 100"),
        ("top_p", how.top_p, 0 < how.top_p <= 1, "above 0, up to 1"),
        ("seed", how.seed, how.seed is None or -(2**63) <= how.seed < 2**64, "64 bits"),
    ):
        if not is_good:
            raise RequestError(Fault.BAD_FIELD, field=field, expected=expected, got=str(value))


def pieces(
    step: Callable[[int | None], Any],
    texts: Texts,
    how: Generation,
    *,
    torch: ModuleType,
    ends: frozenset[int],
) -> Iterator[Piece]:
    """A piece a token; the last says why it is the last.

    `step` takes the token before (None at first) and gives the logits of the next.
    """
    dice = _dice(torch, how)
    token: int | None = None
    for count in range(1, how.max_tokens + 1):
        logits = step(token)
        token = _choose(torch, logits, how, dice)
        logprob = float(torch.log_softmax(logits, -1)[token])
        if token in ends:
            rest, reason = texts.rest(), "eos_token"
            yield Piece(
                text=rest, token=token, logprob=logprob, is_special=True, finish_reason=reason
            )
            return
        text, is_stopped = texts.add(token)
        reason = "stop_sequence" if is_stopped else "length" if count == how.max_tokens else ""
        if reason == "length":
            text += texts.rest()
        yield Piece(text=text, token=token, logprob=logprob, finish_reason=reason)
        if reason:
            return


def _dice(torch: ModuleType, how: Generation) -> Any:
    dice = torch.Generator()
    if how.seed is None:
        dice.seed()
    else:
        dice.manual_seed(how.seed)
    return dice


def _choose(torch: ModuleType, logits: Any, how: Generation, dice: Any) -> int:
    """The likeliest at temperature 0; else one of the likeliest that make up top_p."""
    if how.temperature == 0:
        return int(logits.argmax())
    chances = torch.softmax(logits.double() / max(how.temperature, 1e-4), -1)
    if how.top_p < 1:
        ordered, order = chances.sort(descending=True)
        before = ordered.cumsum(-1) - ordered
        ordered[before >= how.top_p] = 0
        chances = torch.zeros_like(chances).scatter_(0, order, ordered)
    return int(torch.multinomial(chances, 1, generator=dice))


def _overlap(text: str, stop: str) -> int:
    """How many characters at the end of a text begin a stop string."""
    longest = min(len(text), len(stop) - 1)
    return next((size for size in range(longest, 0, -1) if text.endswith(stop[:size])), 0)

"""Models of the Hugging Face Hub: the files of a repository at one commit, by its HTTP API.

For: hf://organisation/repository[:revision][/path], resumable like every other URL.
Must not know: caches, or what a repository's files are good for.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from predictor.fetch_http import Web, ranged
from predictor.fetch_sources import FILES_MAX, Item, Listing
from predictor.fetch_uris import HUB, FetchError, Place, quoted, safe

_CREDENTIALS = (
    "a token is looked for in HF_TOKEN, HUGGING_FACE_HUB_TOKEN, the file HF_TOKEN_PATH and "
    "where 'hf auth login' leaves one; the Hub says the same of a repository that is not there"
)
_ANSWER_BYTES_MAX = 64 << 20
_COMMIT = re.compile(r"\w+")
_IGNORED = (".gitattributes", ".gitignore")


class HubSource:
    """The files of a repository, or those below a path in it."""

    def __init__(self, place: Place, env: Mapping[str, str]) -> None:
        """`env` may hold HF_ENDPOINT and a token."""
        self._place = place
        self._hub = (env.get("HF_ENDPOINT") or HUB).rstrip("/")
        token = _token(env)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._web = Web(credentials=_CREDENTIALS, headers=headers)
        if not self._hub.startswith(("http://", "https://")):
            raise FetchError(f"HF_ENDPOINT: {self._hub} is not a URL")

    def look(self, known: str) -> Listing | None:
        """Which commit the revision is, and its files."""
        place = self._place
        revision = quoted(place.revision).replace("/", "%2F")
        url = f"{self._hub}/api/models/{place.where}/revision/{revision}?blobs=true"
        with self._web.get(url) as answer:
            text = answer.read(_ANSWER_BYTES_MAX + 1)
        said = _read(text, place.uri)
        commit = said["sha"]
        if known == commit:
            return None
        items = tuple(self._items(said["siblings"], commit))
        if not items:
            raise FetchError(
                f"{place.uri}: there is no such file at commit {commit[:12]}", is_absent=True
            )
        if len(items) > FILES_MAX:
            raise FetchError(f"{place.uri} holds more than {FILES_MAX} files")
        is_lone = len(items) == 1 and _path_of(items[0]) == place.path
        return Listing(items=items, version=commit, is_lone=is_lone)

    def read(self, item: Item, start: int) -> Iterator[tuple[int, bytes]]:
        """A commit's bytes never change, wherever the Hub sends us for them."""
        return ranged(self._web, item, start)

    def _items(self, siblings: Any, commit: str) -> Iterator[Item]:
        place = self._place
        for each in siblings:
            path = safe(each["rfilename"], of=place.uri)
            below = path.removeprefix(f"{place.path}/") if place.path else path
            if path == place.path:
                below = path.rpartition("/")[2]
            elif place.path and below == path:
                continue
            if path in _IGNORED:
                continue
            yield Item(
                name=below,
                key=f"{self._hub}/{place.where}/resolve/{commit}/{quoted(path)}",
                size=each.get("size"),
                sha256=(each.get("lfs") or {}).get("sha256") or "",
            )


def _path_of(item: Item) -> str:
    """The path in its repository that an item's URL ends in."""
    return unquote(item.key.split("/resolve/", 1)[1].partition("/")[2])


def _read(text: bytes, uri: str) -> dict[str, Any]:
    try:
        said = json.loads(text)
        is_hub = bool(_COMMIT.fullmatch(said["sha"])) and all(map(_is_file, said["siblings"]))
        if is_hub:
            return dict(said)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    raise FetchError(f"{uri}: what answers at HF_ENDPOINT is not a Hugging Face Hub")


def _is_file(each: Any) -> bool:
    """Whether a file is described as the Hub does; its size may be left out."""
    size, told = each.get("size"), (each.get("lfs") or {}).get("sha256") or ""
    is_size = size is None or (type(size) is int and size >= 0)
    return isinstance(each["rfilename"], str) and is_size and isinstance(told, str)


def _token(env: Mapping[str, str]) -> str:
    if given := env.get("HF_TOKEN") or env.get("HUGGING_FACE_HUB_TOKEN"):
        return given.strip()
    home = env.get("HF_HOME") or (f"{env['HOME']}/.cache/huggingface" if "HOME" in env else "")
    path = env.get("HF_TOKEN_PATH") or (f"{home}/token" if home else "")
    try:
        return Path(path).read_text().strip() if path else ""
    except OSError:
        return ""

"""Models in object stores: s3:// through s3fs and gs:// through gcsfs, one object or a prefix.

For: the credentials that KServe's users have, in the variables they have them in.
Must not know: caches, archives, or what the objects are.
"""

import contextlib
import hashlib
import importlib
import logging
from collections.abc import Iterator, Mapping
from typing import Any, Final

from predictor.fetch_sources import FILES_MAX, ChangedError, Item, Listing, refused
from predictor.fetch_uris import FetchError, Place, safe

_GCSFS_LOG: Final = logging.getLogger("gcsfs")
_BLOCK_BYTES: Final = 8 << 20  # asked for at a time; what is repeated after a cut
_IO_S: Final = 30
_TRUE = ("1", "true", "yes")
_FALSE = ("0", "false", "no")
_S3_CREDENTIALS = (
    "credentials are looked for as by every AWS client (AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY, profiles, roles); awsAnonymousCredential=true sends none"
)
_GS_CREDENTIALS = (
    "credentials are looked for in GOOGLE_APPLICATION_CREDENTIALS, gcloud's own and the "
    "machine's; without any, only public objects are read"
)
_BRIEF = ("SlowDown", "InternalError", "RequestTimeout", "ServiceUnavailable")


def s3_options(env: Mapping[str, str]) -> dict[str, Any]:
    """What s3fs is told; the AWS client itself reads the AWS_ variables."""
    client: dict[str, Any] = {}
    config: dict[str, Any] = {
        "connect_timeout": _IO_S,
        "read_timeout": _IO_S,
        "retries": {"max_attempts": 2},
    }
    endpoint = env.get("AWS_ENDPOINT_URL_S3") or env.get("AWS_ENDPOINT_URL") or ""
    if not endpoint and (host := env.get("S3_ENDPOINT", "")):
        endpoint = host if "://" in host else f"{_scheme(env)}://{host}"
    if endpoint:
        client["endpoint_url"] = endpoint
    if region := env.get("AWS_DEFAULT_REGION") or env.get("AWS_REGION") or env.get("S3_REGION"):
        client["region_name"] = region
    if _truth(env, "S3_VERIFY_SSL", is_default=True):
        if bundle := env.get("AWS_CA_BUNDLE"):
            client["verify"] = bundle
    else:
        client["verify"] = False
    if _truth(env, "S3_USE_VIRTUAL_BUCKET"):
        config["s3"] = {"addressing_style": "virtual"}
    if _truth(env, "S3_USE_ACCELERATE"):
        config["s3"] = {**config.get("s3", {}), "use_accelerate_endpoint": True}
    return {
        "anon": _truth(env, "awsAnonymousCredential"),
        "client_kwargs": client,
        "config_kwargs": config,
        **_FRESH,
    }


def gs_options(env: Mapping[str, str]) -> dict[str, Any]:
    """What gcsfs is told. An emulator wants no token."""
    given = env.get("GOOGLE_APPLICATION_CREDENTIALS")
    if emulator := env.get("STORAGE_EMULATOR_HOST"):
        endpoint = emulator if "://" in emulator else f"http://{emulator}"
        return {"token": "anon", "endpoint_url": endpoint, **_FRESH}
    return {"token": "google_default" if given else None, **_FRESH}


_FRESH: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}


class ObjectSource:
    """One object, or all below a prefix."""

    def __init__(self, place: Place, env: Mapping[str, str]) -> None:
        self._place = place
        is_s3 = place.scheme == "s3"
        # Not fsspec's choice: for gs:// that may be one which asks other servers than are named.
        package, kind, extra = (
            ("s3fs", "S3FileSystem", "s3") if is_s3 else ("gcsfs.core", "GCSFileSystem", "gcs")
        )
        self._credentials = _S3_CREDENTIALS if is_s3 else _GS_CREDENTIALS
        try:
            made = getattr(importlib.import_module(package), kind)
        except ModuleNotFoundError as error:
            raise FetchError(
                f"{place.uri} is not fetched: the package {error.name} is not installed; "
                f"pip install 'relight[{extra}]'"
            ) from None
        if not env.get("GCSFS_DEBUG"):
            _GCSFS_LOG.setLevel(logging.CRITICAL)  # it logs with a traceback what it raises as well
        options = s3_options(env) if is_s3 else gs_options(env)
        with self._told():
            self._store: Any = made(**options)

    def look(self, known: str) -> Listing | None:
        """The object of that name; else all objects below it, as KServe does."""
        place = self._place
        top = f"{place.where}/{place.path}".rstrip("/")
        with self._told():
            try:
                found: dict[str, Any] = self._store.find(top, detail=True)
            except FileNotFoundError:
                found = {}
        infos = [each for key, each in found.items() if each.get("type") != "directory"]
        if len(infos) > FILES_MAX:
            raise FetchError(f"{place.uri} holds more than {FILES_MAX} objects")
        lone = next((each for each in infos if str(each["name"]) == top and place.path), None)
        items = [self._item(each, top) for each in ([lone] if lone else infos) if _is_file(each)]
        if not items:
            message = f"{place.uri}: there is no object of that name and none below it"
            raise FetchError(message, is_absent=True)
        lines = "".join(f"{item.name} {item.size} {item.version}\n" for item in items)
        version = hashlib.sha256(lines.encode(errors="surrogateescape")).hexdigest()
        if known == version:
            return None
        return Listing(items=tuple(items), version=version, is_lone=lone is not None)

    def read(self, item: Item, start: int) -> Iterator[tuple[int, bytes]]:
        """In blocks; that none of another version came is asked at the end."""
        assert item.size is not None
        at = start
        while at < item.size:
            with self._told():
                end = min(item.size, at + _BLOCK_BYTES)
                block: bytes = self._store.cat_file(item.key, start=at, end=end)
            if len(block) != end - at:
                raise ChangedError
            yield at, block
            at = end
        with self._told():
            now = self._store.info(item.key)
        if _version(now) != item.version:
            raise ChangedError

    def _item(self, info: Mapping[str, Any], top: str) -> Item:
        key = str(info["name"])
        name = key.rpartition("/")[2] if key == top else key.removeprefix(f"{top}/")
        name = safe(name, of=self._place.uri)
        return Item(name=name, key=key, size=int(info["size"]), version=_version(info))

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """A FetchError for what these libraries raise."""
        try:
            yield
        except (FetchError, ChangedError):
            raise
        except FileNotFoundError:
            raise refused(404, self._place.uri, self._credentials) from None
        except PermissionError as error:
            message = f"{self._place.uri}: access was refused ({_line(error)})"
            raise FetchError(f"{message}; {self._credentials}", is_absent=True) from None
        except Exception as error:  # noqa: BLE001 - botocore's, aiohttp's, google-auth's: told apart by name
            raise self._failure(error) from None

    def _failure(self, error: Exception) -> FetchError:
        kind, words = type(error).__name__, _line(error)
        uri = self._place.uri
        if "Credential" in kind or kind in ("DefaultCredentialsError", "RefreshError"):
            return FetchError(f"{uri}: {words}; {self._credentials}", is_absent=True)
        status = getattr(error, "code", None) or getattr(error, "status", None)
        if isinstance(status, int) and 400 <= status < 600:
            return refused(status, uri, self._credentials)
        is_brief = isinstance(error, OSError) or kind.endswith(("ConnectionError", "TimeoutError"))
        is_brief = is_brief or any(word in words for word in _BRIEF)
        return FetchError(f"{uri} can not be read: {words}", is_final=not is_brief)


def _is_file(info: Mapping[str, Any]) -> bool:
    """Not the empty object that stands for a folder in some consoles."""
    return not str(info["name"]).endswith("/")


def _version(info: Mapping[str, Any]) -> str:
    for name in ("generation", "ETag", "etag", "md5Hash"):
        if info.get(name):
            return str(info[name])
    return ""


def _line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]


def _scheme(env: Mapping[str, str]) -> str:
    return "https" if _truth(env, "S3_USE_HTTPS", is_default=True) else "http"


def _truth(env: Mapping[str, str], name: str, *, is_default: bool = False) -> bool:
    text = env.get(name, "").lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if text:
        raise FetchError(f"{name}: expected true or false, got '{env[name]}'")
    return is_default

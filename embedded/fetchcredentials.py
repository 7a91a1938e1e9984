"""Credentials for a fetch, as a container would find them: in variables, and in files these name.

For: a Secret that is mounted, as KServe's users have one for Google, read where no container is.
Must not know: who fetches, or what the credentials are for.
"""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from api.objects import Raw
from api.storage_uris import FetchFailedError
from embedded import volumes
from embedded.environment import Downward, Lookup
from embedded.launching import is_mounted
from predictor.fetch_sources import of_fetches

# Variables that name a file.
FILES = (
    "AWS_CA_BUNDLE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "HF_TOKEN_PATH",
    "SSL_CERT_FILE",
)


@contextmanager
def found(
    env: Mapping[str, str], pod: Raw, container: Raw, lookup: Lookup
) -> Iterator[dict[str, str]]:
    """What a fetch is given of a container's environment, while it lasts.

    `pod` is a Pod or what is like one. MissingError, and FetchFailedError for other volumes.
    """
    told = of_fetches(env)
    mounted = [name for name in FILES if name in told and is_mounted(told[name], container)]
    if not mounted:
        yield told
        return
    with tempfile.TemporaryDirectory(prefix="relight-") as folder:  # only we can read it
        for name in mounted:
            content = _content(name, told[name], pod, container, lookup)
            path = Path(folder) / name
            path.write_bytes(content)
            told[name] = str(path)
        yield told


def _content(name: str, text: str, pod: Raw, container: Raw, lookup: Lookup) -> bytes:
    path = PurePosixPath(text)
    mounts = [m for m in container["volumeMounts"] if path.is_relative_to(str(m["mountPath"]))]
    mount = max(mounts, key=lambda each: len(str(each["mountPath"])))
    inside = PurePosixPath(str(mount.get("subPath") or "")) / path.relative_to(mount["mountPath"])
    spec = pod["spec"]
    named = (each for each in spec.get("volumes") or () if each["name"] == mount["name"])
    volume = next(named, None)
    if volume is None or not volumes.is_filled(volume):
        raise FetchFailedError(
            f'{name}: {text} is in volume "{mount["name"]}", which only a running container sees, '
            "and models are fetched before: give credentials in env, or in a Secret's volume",
            is_final=True,
        )
    file = volumes.content(volume, Downward(pod=pod), lookup).get(str(inside))
    if file is None:
        raise FetchFailedError(f"{name}: there is no {text} in its volume", is_final=False)
    return file.content

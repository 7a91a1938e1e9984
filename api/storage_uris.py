"""Where a model lies, as KServe writes it: a path, a volume claim, what is fetched, or elsewhere.

For: telling what this version reads or fetches from what it stores and can not fetch, and both
from a slip of the pen.
Must not know: files, volumes, or who fetches a model.
"""

import re
from dataclasses import dataclass
from typing import Literal

PREFIXES = (
    "gs://",
    "s3://",
    "pvc://",
    "file://",
    "https://",
    "http://",
    "hdfs://",
    "webhdfs://",
    "oci://",
    "oci+native://",
    "oci+fetch://",
    "hf://",
)
FETCHED = ("http", "https", "s3", "gs", "hf")
_SCHEME = re.compile(r"\w+?://")
_AZURE = "blob.core.windows.net"
_AZURE_BLOB = re.compile(r"https://(.+?).blob.core.windows.net/(.+)")
_REFUSALS = (
    ("hdfs://", "HDFS is not read: copy the model to s3://, gs://, https:// or a path"),
    ("webhdfs://", "HDFS is not read: copy the model to s3://, gs://, https:// or a path"),
    ("oci", "no image is pulled for its files: copy the model to s3://, gs://, https:// or a path"),
    (
        "pvc://",
        "a PersistentVolumeClaim is a cluster's: name a path of this machine, "
        "or of where the claim is mounted",
    ),
    ("modelscope://", "ModelScope's hub is not read: hf:// is, and https://"),
)
_CLAIM = re.compile(r"[a-z0-9]([-.a-z0-9]*[a-z0-9])?")


class FetchFailedError(Exception):
    """A model was not fetched; the message is one sentence for a person."""

    def __init__(self, message: str, *, is_final: bool) -> None:
        """`is_final`: trying again later would end the same."""
        super().__init__(message)
        self.is_final = is_final


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A model's place, taken apart."""

    kind: Literal["path", "claim", "fetched", "elsewhere"]
    path: str = ""  # of the file or folder; below the root of the claim, if it is one
    claim: str = ""  # the PersistentVolumeClaim

    @property
    def is_file(self) -> bool:
        """Whether the name looks like a file's. Nobody here can look at the disk."""
        return "." in self.path.rsplit("/", 1)[-1].strip(".")


def complaint(uri: str) -> str:
    """Why KServe would refuse the URI, in its words; empty if it would not."""
    if not _SCHEME.search(uri):
        return ""
    is_known = bool(_AZURE_BLOB.search(uri)) if _AZURE in uri else uri.startswith(PREFIXES)
    if not is_known:
        return (
            f"storageUri, must be one of: [{', '.join(PREFIXES)}] or match "
            "https://{}.blob.core.windows.net/{}/{} or be an absolute or relative local path. "
            f"StorageUri [{uri}] is not supported"
        )
    if uri.startswith("pvc://") and _CLAIM.fullmatch(uri[6:].partition("/")[0]) is None:
        return f"storageUri, must be pvc://<claim>/<path>. StorageUri [{uri}] names no claim"
    return ""


def locate(uri: str) -> Location:
    """Where a URI that has no complaint points."""
    if not _SCHEME.search(uri):
        return Location(kind="path", path=uri)
    if uri.startswith("file://"):
        return Location(kind="path", path=uri.removeprefix("file://"))
    if uri.startswith("pvc://"):
        claim, _, path = uri.removeprefix("pvc://").partition("/")
        return Location(kind="claim", claim=claim, path=path.strip("/"))
    if is_fetched(uri) and not refusal(uri):
        return Location(kind="fetched", path=uri)
    return Location(kind="elsewhere")


def is_fetched(uri: str) -> bool:
    """Whether a model lies where it must be fetched from, and is."""
    scheme, separator, _ = uri.partition("://")
    return bool(separator) and scheme.lower() in FETCHED


def refusal(uri: str) -> str:
    """Why a model that lies elsewhere is not fetched; empty if it is."""
    for start, words in _REFUSALS:
        if uri.startswith(start):
            return words
    address = uri.partition("#")[0].partition("?")[0]
    if _AZURE in address:
        return (
            "Azure Blob Storage is not read: serve the model over https elsewhere, "
            "or from s3://, gs:// or hf://"
        )
    if is_fetched(uri):
        is_git = uri.startswith("http") and address.endswith(".git")
        return "no git repository is cloned: name an archive of it" if is_git else ""
    return "only paths, file://, pvc:// and " + ", ".join(f"{each}://" for each in FETCHED) + " are"


def shown(uri: str) -> str:
    """A URI without what may be secret: the signature in its query."""
    start, mark, _ = uri.partition("?")
    return f"{start}?…" if mark else start

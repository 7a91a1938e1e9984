"""Image references: `registry/repository:tag@digest`.

For: refusing what no registry could serve, and one answer to "is this ours to fork?".
Must not know: registries, or what an image holds.
"""

import re

from api import keys

_REPOSITORY = re.compile(r"[a-zA-Z0-9.-]+(:[0-9]+)?/[a-z0-9_./-]{2,255}|[a-z0-9_./-]{2,255}")
_TAG = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def repository(image: str) -> str:
    """The image without tag and digest."""
    name = image.partition("@")[0]
    head, colon, tail = name.rpartition(":")
    # A colon before the last slash belongs to the registry's port.
    return head if colon and "/" not in tail else name


def is_valid(image: str) -> bool:
    """Whether the text is an image reference."""
    name, at, digest = image.partition("@")
    if at and _DIGEST.fullmatch(digest) is None:
        return False
    base = repository(name)
    tag = name[len(base) + 1 :]
    if name != base and _TAG.fullmatch(tag) is None:
        return False
    return _REPOSITORY.fullmatch(base) is not None


def is_predictor_image(image: str) -> bool:
    """Whether the image means "fork our predictor", with any registry, tag or digest.

    Lenient, as it is asked of stored objects: whether an image is valid is another question.
    """
    return f"/{repository(image)}".endswith(f"/{keys.PREDICTOR_IMAGE}")

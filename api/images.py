"""Which image references mean our own predictor.

For: one answer to "is this ours to fork?" for every component that asks.
Must not know: how an image is pulled or a process started.
"""

from api.keys import PREDICTOR_IMAGE


def is_predictor_image(image: str) -> bool:
    """Whether an image reference names our predictor, with any registry, tag or digest."""
    path, _, last = image.split("@")[0].rpartition("/")
    return f"/{path}/{last.split(':')[0]}".endswith(f"/{PREDICTOR_IMAGE}")

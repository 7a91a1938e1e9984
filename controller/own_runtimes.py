"""The serving runtimes that come with Relight, made on a cluster by whoever leads.

For: an InferenceService that works where nobody installed anything but Relight; an upgrade that
     brings their images along.
Must not know: what a runtime runs, or who chooses one.

One that somebody changed stays as it is, but for an image of ours, which is kept in step while the
label `app.kubernetes.io/managed-by: relight` is there.
"""

import asyncio
import logging
from collections.abc import Iterator
from typing import Any, Final

from api import images
from api.kinds import CLUSTERSERVINGRUNTIMES
from api.runtime_builtin import built_in
from cluster.client import Client
from cluster.errors import AlreadyExistsError, ApiError, NotFoundError

_LOG = logging.getLogger(__name__)
_AGAIN_S: Final = 2.0
_AGAIN_MAX_S: Final = 60.0
_MANAGED_BY: Final = "app.kubernetes.io/managed-by"
# Formats whose libraries are too large for the image of all others, and the end of its tag.
_LARGE: Final = {
    "relight-tensorflow": "tensorflow",
    "relight-pytorch": "torch",
    "relight-huggingface": "torch",
}

Raw = dict[str, Any]


async def keep(client: Client, image: str, *, again_s: float = _AGAIN_S) -> None:
    """Make those that are absent; asked again until it works, as the webhook may be on its way."""
    missing = list(wanted(image))
    while True:
        missing = [each for each in missing if not await _is_kept(client, each)]
        if not missing:
            return
        await asyncio.sleep(again_s)
        again_s = min(again_s * 2, _AGAIN_MAX_S)


def wanted(image: str) -> Iterator[Raw]:
    """The runtimes, those of large libraries with the image beside `image` that has them.

    Those by a name of KServe's are for laptops: a cluster may run KServe's own.
    """
    for runtime in built_in():
        name = runtime["metadata"]["name"]
        if not name.startswith("relight-"):
            continue
        has_tag = images.repository(image) != image and "@" not in image
        if name in _LARGE and has_tag:
            [container] = runtime["spec"]["containers"]
            containers = [{**container, "image": f"{image}-{_LARGE[name]}"}]
            yield {**runtime, "spec": {**runtime["spec"], "containers": containers}}
        else:
            yield runtime


async def _is_kept(client: Client, runtime: Raw) -> bool:
    try:
        await _keep_one(client, runtime)
    except ApiError as error:
        name = runtime["metadata"]["name"]
        _LOG.warning("serving runtime %s: %s; trying again", name, error.message)
        return False
    return True


async def _keep_one(client: Client, runtime: Raw) -> None:
    name = runtime["metadata"]["name"]
    try:
        found = await client.get(CLUSTERSERVINGRUNTIMES, None, name)
    except NotFoundError:
        try:
            await client.create(CLUSTERSERVINGRUNTIMES, runtime)
        except AlreadyExistsError:
            return
        return
    containers = _in_step(found, runtime["spec"]["containers"][0]["image"])
    if containers is not None:
        # The list is replaced as a whole: only if nobody changed it meanwhile.
        version = found["metadata"]["resourceVersion"]
        patch = {"metadata": {"resourceVersion": version}, "spec": {"containers": containers}}
        await client.patch(CLUSTERSERVINGRUNTIMES, None, name, patch)


def _in_step(found: Raw, image: str) -> list[Raw] | None:
    """Its containers with the image of now; None if there is nothing to be done."""
    if (found["metadata"].get("labels") or {}).get(_MANAGED_BY) != "relight":
        return None
    containers = list((found.get("spec") or {}).get("containers") or ())
    if not containers or containers[0].get("image") == image:
        return None
    if not images.is_predictor_image(str(containers[0].get("image"))):
        return None
    return [{**containers[0], "image": image}, *containers[1:]]

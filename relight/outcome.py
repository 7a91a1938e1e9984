"""What `relight deploy` says at its end: the address, the shares, how to call it.

For: the last lines of a deployment. Only the URL goes to standard output.
Must not know: how the Service came to be.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from api import keys
from api.pods import serving_index
from relight import containers, splitting

Raw = Mapping[str, Any]


def tell(service: Raw, *, is_ready: bool) -> None:
    """Print the URL for scripts, the rest for people."""
    url = (service.get("status") or {}).get("url")
    if is_ready:
        print(summary(service), file=sys.stderr)
    if url:
        print(url)
        print(advice(service, str(url)), file=sys.stderr)
    elif not is_ready:
        name = service["metadata"]["name"]
        print(f"Service {name} is stored; see 'relight get services {name} -w'", file=sys.stderr)


def summary(service: Raw) -> str:
    """One sentence: the newest revision and the share of traffic it has."""
    status = service.get("status") or {}
    latest = str(status.get("latestReadyRevisionName") or "")
    shares = splitting.resolved(status.get("traffic") or ())
    told = f"Revision {latest} is ready and has {shares.get(latest, 0)} % of the traffic"
    others = [f"{name} {share} %" for name, share in shares.items() if name != latest]
    if not others:
        return told + "."
    name = service["metadata"]["name"]
    return f"{told} ({', '.join(others)}); 'relight traffic {name} --promote' gives it all."


def advice(service: Raw, url: str) -> str:
    """How to call it."""
    name = service["metadata"]["name"]
    template = service["spec"]["template"]
    if not containers.is_predictor(_serving(template)):
        return f"Call it:\n  curl {url}"
    if has_repository(template):
        which, model = " --model MODEL", "MODEL"
    else:
        which, model = "", model_name(template, name)
    return (
        f"Call it:\n  relight invoke {name}{which} --data @request.json\n"
        f"  curl -H content-type:application/json -d @request.json "
        f"{url}/v2/models/{model}/infer"
    )


def has_repository(template: Raw) -> bool:
    """Whether it serves many models, so that a path has to say which."""
    return containers.has_repository(_serving(template))


def model_name(template: Raw, service: str) -> str:
    """The model's name in /v1 and /v2 paths."""
    annotations = (template.get("metadata") or {}).get("annotations") or {}
    if annotations.get(keys.MODEL_NAME):
        return str(annotations[keys.MODEL_NAME])
    options, _ = containers.split_args(_serving(template).get("args") or ())
    return options.get("--model-name") or service


def _serving(template: Raw) -> Raw:
    given: Sequence[Raw] = template["spec"]["containers"]
    return given[serving_index(given)]

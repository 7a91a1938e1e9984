"""Requests stored with a model, to be answered before it is ready.

For: warmup.json and the files of a folder warmup/: a V2 request, or a list of them.
Must not know: files, models, what is done with the requests.
"""

import json
from collections.abc import Mapping

from predictor.errors import LoadError
from predictor.model_settings import Warmup

_REQUESTS_MAX = 1000


def parse(text: str, *, where: str) -> list[Warmup]:
    """The requests; LoadError names the file that holds something else.

    Whether they are requests that the model takes is told when they are run.
    """
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LoadError(f"{where} is not JSON: {error}") from None
    requests = said if isinstance(said, list) else [said]
    if len(requests) > _REQUESTS_MAX:
        raise LoadError(f"{where}: expected at most {_REQUESTS_MAX} requests, got {len(requests)}")
    for index, request in enumerate(requests):
        if not isinstance(request, Mapping) or not isinstance(request.get("inputs"), list):
            raise LoadError(f"{where}: request {index}: expected a V2 request, with inputs")
    names = [where if len(requests) == 1 else f"{where}[{n}]" for n in range(len(requests))]
    return [
        Warmup(name=name, body=json.dumps(request).encode())
        for name, request in zip(names, requests, strict=True)
    ]

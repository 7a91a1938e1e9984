"""`relight invoke`: send one request to a model and print the answer.

For: trying a service from a shell, with or without a replica running.
Must not know: what a model takes or answers.
"""

import argparse
import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp

from api import keys, kinds
from relight import addresses, answers, config, outcome
from relight.connection import Connection, connect
from relight.errors import AnsweredError, Exit, FailedError, UnreachableError, UsageError

_EXAMPLE = """example:
  relight invoke iris --data '{"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32",
      "data": [5.1, 3.5, 1.4, 0.2]}]}'
  relight invoke iris --data @request.json -i | jq .outputs

Without --path the request is a V2 inference (--v1: a V1 prediction) of the service's model,
or of the one that --model names where the service has a repository of them.
"""
_CONNECT_S = 10.0
_GRACE_S = 1.0  # the platform's own 504 says more than our giving up: let it come first
_FORWARD = (
    ": does its name lead to the cluster from here? Else kubectl -n relight-system port-forward "
    "service/activator 8080:80, and curl -H 'Host: {host}' localhost:8080"
)


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "invoke",
        help="send a request to a service",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="NAME")
    config.add_arguments(parser)
    parser.add_argument("-n", "--namespace", default="default")
    parser.add_argument("-d", "--data", metavar="JSON|@FILE|-", help="the body; - reads stdin")
    parser.add_argument("--model", metavar="M", help="the model's name in the path")
    path = parser.add_mutually_exclusive_group()
    path.add_argument("--v1", action="store_true", help="POST /v1/models/MODEL:predict")
    path.add_argument("--path", metavar="P", help="this path; GET where there is no --data")
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--tag", help="what this tag names")
    target.add_argument("--revision", metavar="R", help="this revision, whatever its share")
    parser.add_argument("--timeout", type=float, metavar="S", help="seconds to wait in all")
    parser.add_argument("-H", "--header", action="append", default=[], metavar="K: V")
    parser.add_argument(
        "-i",
        "--info",
        action="store_true",
        help="say status, revision, digest and where the time went, on stderr",
    )


async def run(args: argparse.Namespace) -> int:
    """Carry the command out."""
    headers = dict(_header(text) for text in args.header)
    body = _body(args.data)
    if body is None and args.path is None:
        raise UsageError("nothing to send: give --data JSON, --data @FILE or --data -")
    if args.model and args.path is not None:
        raise UsageError("--model: --path says the whole path, the model's name in it")
    if args.timeout is not None and args.timeout <= 0:
        raise UsageError("--timeout: expected more than 0 seconds")
    async with connect(config.locate(args)) as connection:
        await _invoke(args, connection, headers, body)
    return Exit.OK


async def _invoke(
    args: argparse.Namespace, connection: Connection, headers: dict[str, str], body: bytes | None
) -> None:
    service = await connection.client.get(kinds.SERVICES, args.namespace, args.name)
    destination = addresses.of_service(
        service,
        activator=connection.location.activator,
        domain=connection.location.domain,
        tag=args.tag,
        revision=args.revision,
    )
    sent = {"host": destination.host, "content-type": "application/json"}
    if args.timeout is not None:
        sent[keys.HEADER_TIMEOUT] = f"{args.timeout:g}"
    limit_s = None if args.timeout is None else args.timeout + _GRACE_S
    path = args.path or _path(args.model or _model(service, args.name), args.v1)
    start_s = asyncio.get_running_loop().time()
    try:
        async with connection.session.request(
            "GET" if body is None else "POST",
            f"{destination.base}/{path.lstrip('/')}",
            data=body,
            headers={**sent, **headers},
            timeout=aiohttp.ClientTimeout(total=limit_s, sock_connect=_CONNECT_S),
            allow_redirects=False,
        ) as response:
            answer = await response.read()
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        hint = _FORWARD.format(host=destination.host)
        is_cluster = connection.location.activator is None
        told = f"nothing answers at {destination.base}{hint if is_cluster else ''}"
        raise UnreachableError(told) from error
    except TimeoutError as error:
        raise FailedError(f"{args.name} did not answer within {limit_s:g} s") from error
    except aiohttp.ClientError as error:
        raise FailedError(f"{args.name}: the answer broke off: {error}") from error
    if args.info:
        answers.tell(response, asyncio.get_running_loop().time() - start_s)
    if not 200 <= response.status < 300:
        raise AnsweredError(f"{args.name} answered {response.status}: {answers.message(answer)}")
    answers.write(answer)


def _header(text: str) -> tuple[str, str]:
    name, separator, value = text.partition(":")
    if not separator or not name.strip():
        raise UsageError(f"-H {text}: expected 'Name: value'")
    return name.strip().lower(), value.strip()


def _body(given: str | None) -> bytes | None:
    if given is None:
        return None
    if given == "-":
        return sys.stdin.buffer.read()
    if not given.startswith("@"):
        return given.encode()
    try:
        return Path(given[1:]).read_bytes()
    except OSError as error:
        raise UsageError(f"--data: {given[1:]}: {error.strerror}") from error


def _model(service: Mapping[str, Any], name: str) -> str:
    template = service["spec"]["template"]
    if outcome.has_repository(template):
        listed = f"'relight invoke {name} --path /v2/models' lists them"
        raise UsageError(f"{name} serves a repository of models: say which with --model; {listed}")
    return outcome.model_name(template, name)


def _path(model: str, is_v1: bool) -> str:
    model = quote(model, safe="")
    return f"/v1/models/{model}:predict" if is_v1 else f"/v2/models/{model}/infer"

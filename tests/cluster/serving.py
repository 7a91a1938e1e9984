"""An API server for tests, by call and over HTTP, with a clock and dice of its own."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from cluster.direct import DirectClient
from cluster.http import HttpClient
from embedded.apiserver import ApiServer
from embedded.http import make_app
from embedded.store import IN_MEMORY, Store

START_S = 1_800_000_000.0


@dataclass
class Clock:
    now_s: float = START_S

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Served:
    """A server over a store that keeps nothing, and the client that talks to it."""

    clock: Clock = field(default_factory=Clock)
    path: Path | str = IN_MEMORY

    def __post_init__(self) -> None:
        self.store = Store(self.path)
        self.server = ApiServer(self.store, clock=self.clock, rng=random.Random(1))
        self.direct = DirectClient(self.server)

    def close(self) -> None:
        self.server.close()
        self.store.close()


@asynccontextmanager
async def over_http(app: web.Application) -> AsyncIterator[HttpClient]:
    async with TestServer(app) as listening, aiohttp.ClientSession() as session:
        yield HttpClient(str(listening.make_url("")), session, request_timeout_s=10.0)


@asynccontextmanager
async def http_client(served: Served) -> AsyncIterator[HttpClient]:
    async with over_http(make_app(served.server)) as client:
        yield client


def pod(name: str = "p", namespace: str = "default", **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, **metadata},
        "spec": {"containers": [{"name": "c", "image": "relight/predictor"}]},
    }


def namespace(name: str, **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, **metadata}}


def deployment(name: str = "d", **spec: Any) -> dict[str, Any]:
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod()["spec"]},
            **spec,
        },
    }


def service(name: str = "hello", **spec: Any) -> dict[str, Any]:
    container = {"image": "relight/predictor", "args": ["--model", "m.onnx"]}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"template": {"spec": {"containers": [container], **spec}}},
    }


def owned_by(owner: dict[str, Any], *, blocks: bool = False) -> dict[str, Any]:
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "blockOwnerDeletion": blocks,
    }

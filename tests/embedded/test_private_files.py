import stat
from pathlib import Path

from embedded.private_files import kept_token, write_private


def test_only_the_owner_reads_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "key"
    write_private(path, b"one")
    write_private(path, b"two")
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["key"]


def test_a_token_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "token"
    token = kept_token(path)
    assert len(token) > 30
    assert kept_token(path) == token
    path.write_text("\n")
    assert kept_token(path) != token

"""Files that only their owner may read, replaced whole.

For: keys, tokens, and what carries them to clients.
Must not know: what is in them.
"""

import secrets
import tempfile
from pathlib import Path


def write_private(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old one or the whole new one."""
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(content)
    Path(file.name).chmod(0o600)
    Path(file.name).replace(path)


def kept_token(path: Path) -> str:
    """The token in a file, made if there is none: it stays over restarts."""
    if path.exists() and (token := path.read_text().strip()):
        return token
    token = secrets.token_urlsafe(32)
    write_private(path, token.encode())
    return token

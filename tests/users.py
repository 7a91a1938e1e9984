"""Who may run what here: some tests need another user, and some machines have no place for one."""

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
IS_ROOT = os.geteuid() == 0


def _may_enter(path: Path) -> bool:
    """Whether anybody may go into a folder, by all that stands above it."""
    return all(each.stat().st_mode & 0o001 for each in (path, *path.parents))


# A checkout below a folder of root's own, such as one of mktemp or /root, is closed to others.
IS_OPEN = _may_enter(ROOT) and _may_enter(Path(sys.executable).parent)

another_user = pytest.mark.skipif(
    not IS_ROOT or not IS_OPEN,
    reason="only root becomes somebody else, and this checkout must be open to others",
)

"""Each exception has a name, and each name a sentence."""

import re
from pathlib import Path

from tests.conformance.exceptions import DIFFERS, EXCEPTIONS, LACKS
from tests.conformance.servers import EVERYTHING

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent.parent
TEXT = "\n".join(path.read_text() for path in sorted(FOLDER.glob("*.py")))


def test_what_a_behaviour_needs_has_a_sentence() -> None:
    needed = set(re.findall(r'"([-a-z0-9]+)"', " ".join(re.findall(r"mark\.needs\((.*)\)", TEXT))))
    assert needed == set(LACKS)


def test_our_server_lacks_nothing_over_http() -> None:
    assert set(LACKS) == EVERYTHING


def test_every_difference_is_looked_at_somewhere() -> None:
    assert set(re.findall(r"# exception: ([-a-z]+)", TEXT)) >= set(DIFFERS)


def test_each_is_on_the_page_for_users() -> None:
    page = (ROOT / "docs/compatibility.md").read_text()
    assert [name for name in EXCEPTIONS if f"`{name}`" not in page] == [], "run `make manifests`"

"""A desk that keeps what is posted, and a queue at it."""

from itertools import count

from typing_extensions import override

from activator.peer_messages import Place, Ticketed
from activator.sharing import SharedQueue
from activator.targets import RevisionKey

KEY = RevisionKey("ns", "rev")
N = ("ns", "rev")


def place(endpoint: str) -> Place:
    return Place("ns", endpoint, "rev", f"tcp:{endpoint}:1", True, False)


class Said(list[tuple[str, Ticketed]]):
    """To whom what was posted. Messages of two kinds with equal values are not the same here."""

    @override
    def __eq__(self, other: object) -> bool:
        assert isinstance(other, list)
        return super().__eq__(other) and all(
            type(one) is type(another) for (_, one), (_, another) in zip(self, other, strict=True)
        )

    __hash__ = None


class FakeDesk:
    def __init__(self) -> None:
        self.me = "me"
        self.numbers = count(1)
        self.posted = Said()
        self.suspects: list[str] = []
        self.astray = 0
        self.looks = 0
        self.known = {name: name for name in ("p1", "p2", "p3")}

    def post(self, peer: str, message: Ticketed) -> None:
        self.posted.append((peer, message))

    def place_of(self, endpoint: str) -> Place:
        return place(endpoint)

    def find(self, place: Place) -> str:
        return self.known[place.pod]

    def suspect(self, endpoint: str) -> None:
        self.suspects.append(endpoint)

    def unplaced(self, key: RevisionKey) -> None:
        assert key == KEY
        self.astray += 1

    def look(self) -> None:
        self.looks += 1

    def said(self) -> Said:
        posted, self.posted = self.posted, Said()
        return posted


def queue(
    *, capacity: int = 1, ready: tuple[str, ...] = ("p1",), depth_max: int = 10, owner: str = "me"
) -> tuple[SharedQueue[str, str], FakeDesk]:
    desk = FakeDesk()
    made: SharedQueue[str, str] = SharedQueue(
        KEY, desk, capacity=capacity, depth_max=depth_max, bytes_max=1000
    )
    made.endpoints_changed([desk.known[each] for each in ready])
    made.follow(owner)
    if owner == "me":
        made.open()
    return made, desk

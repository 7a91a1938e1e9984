"""Which of several activators owns a limited Revision: rendezvous hashing over those that can.

For: an answer that all who know the same of each other find alike, and that moves little.
Must not know: sockets, tickets, how any of it came to be known.
"""

from collections.abc import Collection, Mapping
from hashlib import blake2b

from activator.targets import RevisionKey


def owner_of(key: RevisionKey, eligible: Collection[str]) -> str:
    """The one that ranks highest for this Revision. Whoever joins takes only what it owns then."""
    assert eligible, "somebody owns it"
    if len(eligible) == 1:
        (only,) = eligible
        return only
    suffix = f"/{key.namespace}/{key.name}".encode()
    return max(eligible, key=lambda member: (_weight(member, suffix), member))


def _weight(member: str, suffix: bytes) -> bytes:
    return blake2b(member.encode() + suffix, digest_size=8).digest()


def eligible(me: str, members: Collection[str], links: Mapping[str, Collection[str]]) -> list[str]:
    """Who may own anything, in order: members that everybody reaches, as far as `me` can tell.

    `links` is who reaches whom, of `me` and of each that `me` reaches; one side's word is enough
    for there being a link between others. `members` own, if they can; others only ask. Where a
    link is broken neither of its ends owns anything: all can ask the others. Where nobody is
    reached by all, each takes those that it reaches itself; and itself, when there are none.
    """
    near = {me, *links.get(me, ())}
    everyone = set(near)
    pairs = {frozenset((me, each)) for each in near}
    for one in near - {me}:
        for other in links.get(one, ()):
            if other != me:  # what `me` reaches, it knows best itself
                everyone.add(other)
                pairs.add(frozenset((one, other)))
    able = [each for each in members if each in near]
    whole = [
        each
        for each in able
        if all(other == each or frozenset((each, other)) in pairs for other in everyone)
    ]
    return sorted(whole or able or [me])

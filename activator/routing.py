"""Host, path and tag → the Revision that serves a request.

For: one dictionary look-up a request; everything else is done when an object changes.
Must not know: sockets, clocks, replicas. Chance is the `draw` it is given.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from urllib.parse import unquote_to_bytes

from activator.claims import Claims, Owner
from activator.hosts import Place, parse_host
from activator.targets import DEFAULT_ROUTE, Model, RevisionKey, Share, Target, Way, sole
from api import keys

DEFAULT_NAMESPACE = "default"  # where the bare host looks for models
_CACHE_MAX = 4096
_INSIDE = ".svc.cluster.local"
_TAG = keys.HEADER_TAG.encode()
_ISVC_NAMES = frozenset({keys.HEADER_ISVC_NAME.encode(), keys.HEADER_ISVC_NAMESPACE.encode()})


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """An InferenceService, as far as its hosts go. Its components are Services of fixed names."""

    owner: Owner
    has_transformer: bool
    has_explainer: bool
    is_inside_only: bool


class Router:
    """The table of all hosts. `find` is on the request path; the rest follows watch events.

    Names that coincide are settled by kind: a Route, a tag, a Revision, an InferenceService, a
    DomainMapping; and within the last two by age.
    """

    def __init__(self, *, domain: str, draw: Callable[[], float]) -> None:
        """`draw` gives a number in [0, 1): where each split begins."""
        self._domain = domain.lower().encode()
        self._draw = draw
        self._routes: dict[bytes, Way] = {}  # by b"name.namespace", as are the next two
        self._tags: dict[bytes, Way] = {}
        self._revisions: dict[bytes, RevisionKey] = {}
        self._named: dict[bytes, tuple[bool, list[RevisionKey]]] = {}  # by Routes; is inside only
        self._inside: Counter[RevisionKey] = Counter()  # named by so many inside-only Routes
        self._outside: Counter[RevisionKey] = Counter()  # and by so many public ones
        self._inferences: Claims[Inference] = Claims()  # by "name.namespace" and "name-namespace"
        self._mappings: Claims[bytes] = Claims()  # host → Route
        self._models: dict[bytes, dict[RevisionKey, str]] = {}  # model → its revisions' services
        self._known: dict[RevisionKey, Model] = {}
        self._bare = Way(target=Target((), {}, 0.0))
        self._by_host: dict[bytes, Way | None] = {}  # caches, emptied by every change
        self._by_path: dict[bytes, Way | None] = {}

    # -- what there is ----------------------------------------------------------------------

    def set_route(
        self, namespace: str, name: str, shares: Sequence[Share], *, is_inside_only: bool = False
    ) -> None:
        """A Route appeared or changed."""
        self.remove_route(namespace, name)
        split = [(RevisionKey(namespace, share.revision), share.percent) for share in shares]
        tagged = {
            share.tag.encode(): RevisionKey(namespace, share.revision)
            for share in shares
            if share.tag
        }
        key = _key(name, namespace)
        target = Target(split, tagged, self._draw())
        self._routes[key] = Way(target=target, lines=DEFAULT_ROUTE, is_inside_only=is_inside_only)
        for tag, revision in tagged.items():
            self._tags[tag + b"-" + key] = Way(
                target=sole(revision),
                lines=b"%b: %b\r\n" % (_TAG, tag),
                replaced=frozenset({_TAG}),
                is_inside_only=is_inside_only,
            )
        self._named[key] = is_inside_only, [revision for revision, _ in split]
        (self._inside if is_inside_only else self._outside).update(self._named[key][1])

    def remove_route(self, namespace: str, name: str) -> None:
        """A Route is gone."""
        self._forget()
        key = _key(name, namespace)
        way = self._routes.pop(key, None)
        if way is None:
            return
        for tag in way.target.tags:
            self._tags.pop(tag + b"-" + key, None)
        is_inside_only, revisions = self._named.pop(key)
        counter = self._inside if is_inside_only else self._outside
        for revision in revisions:
            counter[revision] -= 1
            if not counter[revision]:
                del counter[revision]

    def set_revision(self, namespace: str, name: str, model: Model) -> None:
        """A Revision appeared or changed."""
        self.remove_revision(namespace, name)
        revision = RevisionKey(namespace, name)
        self._revisions[_key(name, namespace)] = revision
        self._known[revision] = model
        if namespace == DEFAULT_NAMESPACE:
            self._models.setdefault(model.name.encode(), {})[revision] = model.service

    def remove_revision(self, namespace: str, name: str) -> None:
        """A Revision is gone."""
        self._forget()
        revision = RevisionKey(namespace, name)
        self._revisions.pop(_key(name, namespace), None)
        model = self._known.pop(revision, None)
        if model is None:
            return
        revisions = self._models.get(model.name.encode(), {})
        revisions.pop(revision, None)
        if not revisions:
            self._models.pop(model.name.encode(), None)

    def set_inference(self, inference: Inference) -> None:
        """An InferenceService appeared or changed."""
        self._forget()
        name, namespace = inference.owner.name, inference.owner.namespace
        names = (_key(name, namespace), f"{name}-{namespace}".encode())
        self._inferences.put(inference.owner, dict.fromkeys(names, inference))

    def remove_inference(self, namespace: str, name: str) -> None:
        """An InferenceService is gone."""
        self._forget()
        self._inferences.drop(namespace, name)

    def set_mapping(self, owner: Owner, route: str) -> None:
        """A DomainMapping, whose name is a host, leads to a Route of its namespace."""
        self._forget()
        self._mappings.put(owner, {owner.name.lower().encode(): _key(route, owner.namespace)})

    def remove_mapping(self, namespace: str, name: str) -> None:
        """A DomainMapping is gone, or leads nowhere."""
        self._forget()
        self._mappings.drop(namespace, name)

    # -- what is asked ----------------------------------------------------------------------

    def find(self, host: bytes, target: bytes, tag: bytes | None) -> Way | None:
        """Where a request leads; None: nowhere we know.

        `target` is the raw request target; `tag` the value of Knative-Serving-Tag.
        """
        try:
            way = self._by_host[host]
        except KeyError:
            way = self._look_up(host)
        if way is self._bare:
            path = target.partition(b"?")[0]
            try:
                way = self._by_path[path]
            except KeyError:
                way = self._look_up_path(path)
        if way is None:
            return None
        if way.explain is not None and _asks_why(target.partition(b"?")[0]):
            way = way.explain
        return way if tag is None else way.tagged(tag)

    def addressed(self, namespace: bytes, name: bytes) -> Way | None:
        """Where requests go that name a Revision themselves; None: there is none of that name."""
        revision = self._revisions.get(name + b"." + namespace)
        return None if revision is None else Way(target=sole(revision), is_inside_only=True)

    def is_bare(self, host: bytes) -> bool:
        """Whether this is the host of the activator itself, not of a Route."""
        return parse_host(host, self._domain) is None

    def is_served(self, host: bytes, path: bytes) -> bool:
        """Whether a host, other than the bare one, leads anywhere."""
        return not self.is_bare(host) and self.find(host, path, None) is not None

    def hosts(self) -> list[str]:
        """The host of every Route and tag, InferenceService and DomainMapping, sorted."""
        public = "." + self._domain.decode()
        ways = (*self._routes.items(), *self._tags.items())
        found = {key.decode() + (_INSIDE if way.is_inside_only else public) for key, way in ways}
        for key in self._inferences.names():
            inference = self._inferences.get(key)
            if inference is not None and (b"." in key) == inference.is_inside_only:
                found.add(key.decode() + (_INSIDE if inference.is_inside_only else public))
        mapped = {name: self._mappings.get(name) for name in self._mappings.names()}
        found |= {name.decode() for name, route in mapped.items() if route in self._routes}
        return sorted(found)

    def models(self) -> list[str]:
        """The names by which models are found on the bare host, sorted."""
        return sorted(name.decode() for name in self._models)

    def _forget(self) -> None:
        self._by_host.clear()
        self._by_path.clear()

    def _look_up(self, host: bytes) -> Way | None:
        place = parse_host(host, self._domain)
        found = self._bare if place is None else self._of_place(place)
        if len(self._by_host) >= _CACHE_MAX:
            self._by_host.clear()
        self._by_host[host] = found
        return found

    def _of_place(self, place: Place) -> Way | None:
        """Where a host leads. What is inside only has no public host."""
        revision = self._revisions.get(place.stem)
        for way in (
            self._routes.get(place.stem),
            self._tags.get(place.stem),
            None if revision is None else self._of_revision(revision),
            self._of_inference(self._inferences.get(place.stem), place),
        ):
            if way is not None and not (place.is_public and way.is_inside_only):
                return way
        route = self._mappings.get(place.full)
        mapped = self._routes.get(route) if route is not None else None
        # Who maps a host of the world to a Route has it seen from there.
        return None if mapped is None else replace(mapped, is_inside_only=False)

    def _of_revision(self, revision: RevisionKey) -> Way:
        """A Revision's own address is no way around the visibility of its Routes."""
        service = self._routes.get(_key(self._known[revision].service, revision.namespace))
        is_inside_only = (service is not None and service.is_inside_only) or (
            revision in self._inside and revision not in self._outside
        )
        return Way(target=sole(revision), is_inside_only=is_inside_only)

    def _of_inference(self, inference: Inference | None, place: Place | None) -> Way | None:
        if inference is None:
            return None
        if place is not None and not place.is_public and b"." not in place.stem:
            return None  # `name-namespace` is a public name only
        main = "transformer" if inference.has_transformer else "predictor"
        explain = self._component(inference, "explainer") if inference.has_explainer else None
        return replace(self._component(inference, main), explain=explain)

    def _component(self, inference: Inference, component: str) -> Way:
        """Where a component is; a way to nowhere while it has no Route."""
        _, namespace, name = inference.owner
        route = self._routes.get(_key(f"{name}-{component}", namespace))
        told = f"{keys.HEADER_ISVC_NAME}: {name}\r\n{keys.HEADER_ISVC_NAMESPACE}: {namespace}\r\n"
        return Way(
            target=self._bare.target if route is None else route.target,
            lines=DEFAULT_ROUTE + told.encode(),
            replaced=_ISVC_NAMES,
            is_inside_only=inference.is_inside_only,
        )

    def _look_up_path(self, path: bytes) -> Way | None:
        found = self._of_path(path)
        if len(self._by_path) >= _CACHE_MAX:
            self._by_path.clear()
        self._by_path[path] = found
        return found

    def _of_path(self, path: bytes) -> Way | None:
        """`/v1/models/<m>[:verb]`, `/v2/models/<m>[/versions/<revision>][/verb]`."""
        parts = path.split(b"/")
        if len(parts) < 4 or parts[0] or parts[1] not in {b"v1", b"v2"} or parts[2] != b"models":
            return None
        name = parts[3]
        if parts[1] == b"v1":
            name = name.partition(b":")[0]
        model = unquote_to_bytes(name)
        revisions = self._models.get(model, {})
        if parts[1] == b"v2" and len(parts) >= 6 and parts[4] == b"versions":
            wanted = RevisionKey(
                DEFAULT_NAMESPACE, unquote_to_bytes(parts[5]).decode("utf-8", "replace")
            )
            return self._of_revision(wanted) if wanted in revisions else None
        # Several Services may give their models one name: the first in order has it, and a
        # Service of its own comes before a component of an InferenceService.
        behind: Way | None = None
        for service in sorted(set(revisions.values())):
            inference = self._inferences.get(_key(_parent(service), DEFAULT_NAMESPACE))
            way = self._routes.get(_key(service, DEFAULT_NAMESPACE))
            if way is not None and inference is None:
                return way
            behind = behind or self._of_inference(inference, None)
        suffix = b"." + DEFAULT_NAMESPACE.encode()
        return behind or self._of_inference(self._inferences.get(model + suffix), None)


def _key(name: str, namespace: str) -> bytes:
    return f"{name}.{namespace}".encode()


def _parent(service: str) -> str:
    """The InferenceService that would have this Service as its component; "" for none."""
    name, _, component = service.rpartition("-")
    return name if component in {"predictor", "transformer", "explainer"} else ""


def _asks_why(path: bytes) -> bool:
    return path.endswith((b":explain", b"/explain"))

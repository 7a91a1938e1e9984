"""What of an object is one value and what has parts: which fields, and which items of lists.

For: merging objects and telling their fields apart as their schema says.
Must not know: who owns fields, or what any of them means.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from api.openapi import Schema
from embedded.strategic import MERGE_KEYS

# Kubernetes' own lists have more keys than strategic merge knows of.
_KEYS_OF_BUILT_IN: Final[Mapping[str, tuple[str, ...]]] = {
    **{name: (key,) for name, key in MERGE_KEYS.items() if key},
    "ports": ("containerPort", "protocol"),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
}
_KEYS_OF_METADATA: Final[Mapping[str, tuple[str, ...]]] = {
    "finalizers": (),
    "ownerReferences": ("uid",),
}
# Maps that Kubernetes takes as one value in its own kinds.
_ATOMIC_MAPS: Final = frozenset(
    {
        "selector",
        "nodeSelector",
        "configMapKeyRef",
        "secretKeyRef",
        "fieldRef",
        "resourceFieldRef",
        "involvedObject",
        "related",
        "labelSelector",
    }
)
_DEFAULTS: Final = {"protocol": "TCP"}
_NOTHING: Final[Schema] = {}


class Shape:
    """How one place of an object is built. Made on demand and kept, so walking is cheap."""

    __slots__ = (
        "_atomics",
        "_fields",
        "_item",
        "_named",
        "_schema",
        "is_atomic",
        "keys",
    )

    def __init__(
        self,
        schema: Schema,
        *,
        name: str = "",
        named: Mapping[str, tuple[str, ...]] | None = None,
        atomics: frozenset[str] = frozenset(),
    ) -> None:
        self._schema = schema
        self._named = {} if named is None else named
        self._atomics = atomics
        self._fields: dict[str, Shape] = {}
        self._item: Shape | None = None
        self.is_atomic = schema.get("x-kubernetes-map-type") == "atomic" or name in atomics
        self.keys = self._keys(name)

    def _keys(self, name: str) -> tuple[str, ...] | None:
        """What tells the items of a list apart: () for themselves, None for a list as a whole."""
        kind = self._schema.get("x-kubernetes-list-type")
        if kind == "map":
            return tuple(sorted(self._schema.get("x-kubernetes-list-map-keys") or ("name",)))
        if kind is not None:
            return () if kind == "set" else None
        return self._named.get(name)

    def field(self, name: str) -> "Shape":
        """The shape of a field or of a map's value."""
        found = self._fields.get(name)
        if found is None:
            fields = self._schema.get("properties") or _NOTHING
            schema = fields.get(name)
            is_declared = schema is not None
            if schema is None:
                values = self._schema.get("additionalProperties")
                schema = values if isinstance(values, dict) else _NOTHING
            # The keys of a map are the user's words and say nothing of what stands there.
            is_map = not is_declared and "additionalProperties" in self._schema
            found = Shape(
                schema,
                name="" if is_map else name,
                named=self._named,
                atomics=self._atomics,
            )
            if is_declared or len(self._fields) < 256:
                self._fields[name] = found
        return found

    def place(self, name: str, shape: "Shape") -> None:
        """Have a field be built so, whatever the schema says."""
        self._fields[name] = shape

    def declares(self, name: str) -> bool:
        """Whether the schema names the field."""
        return name in (self._schema.get("properties") or ())

    @property
    def item(self) -> "Shape":
        """The shape of a list's items."""
        if self._item is None:
            schema = self._schema.get("items") or _NOTHING
            self._item = Shape(schema, named=self._named, atomics=self._atomics)
        return self._item

    def steps(self, items: list[Any]) -> list[str | None]:
        """The steps to the items of this list, which has keys; None for one that lacks one."""
        return [self._step_of(item) for item in items]

    def _step_of(self, item: Any) -> str | None:
        keys = self.keys
        if not keys:
            return f"v:{orjson.dumps(item, option=orjson.OPT_SORT_KEYS).decode()}"
        if not isinstance(item, Mapping):
            return None
        found: dict[str, Any] = {}
        for key in keys:
            value = item.get(key, self._default(key))
            if value is None:
                return None
            found[key] = value
        return f"k:{orjson.dumps(found, option=orjson.OPT_SORT_KEYS).decode()}"

    def _default(self, key: str) -> Any:
        fields = (self._schema.get("items") or _NOTHING).get("properties") or _NOTHING
        default = (fields.get(key) or _NOTHING).get("default")
        return _DEFAULTS.get(key) if default is None and self._named else default


def shape_of(schema: Schema | None, *, is_built_in: bool) -> Shape:
    """The shape of whole objects. All but Kubernetes' own are built as their schema says."""
    shape = Shape(
        schema or _NOTHING,
        named=_KEYS_OF_BUILT_IN if is_built_in else None,
        atomics=_ATOMIC_MAPS if is_built_in else frozenset(),
    )
    shape.place("metadata", Shape(_METADATA, named=_KEYS_OF_METADATA))
    return shape


_METADATA: Final[Schema] = {
    "properties": {
        "labels": {"additionalProperties": {"type": "string"}},
        "annotations": {"additionalProperties": {"type": "string"}},
        "finalizers": {"type": "array"},
        "ownerReferences": {
            "type": "array",
            "items": {"type": "object", "x-kubernetes-map-type": "atomic"},
        },
    }
}

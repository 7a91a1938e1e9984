"""What stands in a PMML document: its fields, its outputs, what it is made of. Read once, safely.

For: choosing who evaluates it, and refusing what no XML parser should see.
Must not know: any evaluator, HTTP, where the file came from.

A document type declaration is refused as such: PMML needs none, and entities that grow without
end or read other files are declared nowhere else.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from xml.parsers import expat

from predictor.errors import LoadError
from predictor.pmml_trees import Trees

DEPTH_MAX = 512
BYTES_MAX = 256 * 1024 * 1024
_NOT_MODELS = frozenset(
    ("Header", "MiningBuildTask", "DataDictionary", "TransformationDictionary", "Extension")
)
_PASSIVE = ("supplementary", "group", "order", "frequencyWeight", "analysisWeight")
_TARGETS = ("target", "predicted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of the data dictionary."""

    name: str
    optype: str
    datatype: str
    middle: float | None = None  # of its first interval with two ends


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputField:
    """A field that the document says its model gives."""

    name: str
    feature: str
    datatype: str
    value: str


@dataclass(slots=True, kw_only=True)
class Document:
    """What one pass over the document found."""

    version: str = ""
    model: str = ""  # the name of its model's element
    function: str = ""
    fields: dict[str, Field] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)  # as the model lists them
    target: str = ""
    outputs: list[OutputField] = field(default_factory=list)
    elements: set[str] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)
    methods: set[str] = field(default_factory=set)  # of segmentations
    trees_problem: str = ""  # what its trees have that only Java evaluates


def read(data: bytes) -> Document:
    """What the bytes hold; LoadError is a clause that follows the file's name."""
    if len(data) > BYTES_MAX:
        raise LoadError(f"is larger than {BYTES_MAX >> 20} MiB")
    scan = _Scan()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = scan.start
    parser.EndElementHandler = scan.end
    parser.StartDoctypeDeclHandler = scan.doctype
    parser.EntityDeclHandler = scan.doctype
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError) as error:
        raise LoadError(f"is not well-formed XML: {error}") from None
    found = scan.found
    found.trees_problem = scan.trees.problem
    if not found.version or not found.model:
        raise LoadError("is no PMML document, or one without a model")
    return found


class _Scan:
    """What expat calls. Only the outermost model's schema and outputs are kept."""

    def __init__(self) -> None:
        self.found = Document()
        self.trees = Trees()
        self._path: list[str] = []

    def start(self, tag: str, given: Mapping[str, str]) -> None:
        name = tag.rpartition(" ")[2]
        if len(self._path) >= DEPTH_MAX:
            raise LoadError(f"is nested deeper than {DEPTH_MAX} elements")
        self._path.append(name)
        self.found.elements.add(name)
        self.trees.start(name, given)
        self.found.attributes.update(given)
        depth = len(self._path)
        if depth == 1:
            self._root(name, given)
        elif depth == 2 and name not in _NOT_MODELS:
            if self.found.model:
                raise LoadError(f"holds two models ({self.found.model} and {name})")
            self.found.model, self.found.function = name, given.get("functionName", "")
        elif name == "DataField" and self._path[1] == "DataDictionary":
            one = Field(
                name=given.get("name", ""),
                optype=given.get("optype", ""),
                datatype=given.get("dataType", ""),
            )
            self.found.fields[one.name] = one
        elif name == "Interval" and depth == 4 and self._path[2] == "DataField":
            self._interval(given)
        elif name == "Segmentation":
            self.found.methods.add(given.get("multipleModelMethod", ""))
        elif depth == 4 and self._path[1] == self.found.model:
            self._of_model(name, given)

    def end(self, tag: str) -> None:
        del tag
        self.trees.end(self._path.pop())

    def doctype(self, *_: Any) -> None:
        raise LoadError("declares a document type (<!DOCTYPE ...>), which PMML needs none of")

    def _interval(self, given: Mapping[str, str]) -> None:
        name, one = next(reversed(self.found.fields.items()))
        try:
            middle = (float(given["leftMargin"]) + float(given["rightMargin"])) / 2
        except (KeyError, ValueError):  # open on a side; what is no number, the engine will say
            return
        if one.middle is None and math.isfinite(middle):
            self.found.fields[name] = replace(one, middle=middle)

    def _root(self, name: str, given: Mapping[str, str]) -> None:
        if name != "PMML":
            raise LoadError(f"is XML, but no PMML: it starts with <{name}>")
        self.found.version = given.get("version", "")

    def _of_model(self, name: str, given: Mapping[str, str]) -> None:
        parent = self._path[2]
        if parent == "MiningSchema" and name == "MiningField":
            usage = given.get("usageType", "active")
            if usage in _TARGETS:
                self.found.target = self.found.target or given.get("name", "")
            elif usage not in _PASSIVE:
                self.found.inputs.append(given.get("name", ""))
        elif parent == "Output" and name == "OutputField":
            self.found.outputs.append(
                OutputField(
                    name=given.get("name", ""),
                    feature=given.get("feature", "predictedValue"),
                    datatype=given.get("dataType", ""),
                    value=given.get("value", ""),
                )
            )

"""A PFA document: its engine, its columns, and what its actions answer.

For: opening a document with titus, and one sentence for a person when that fails.
Must not know: HTTP, or where the file came from.

titus2 is unmaintained since 2023 and needs two names that NumPy 2 and Python 3.11 dropped; it
gets them while it is imported and nobody else does. What it makes of a document is checked in
pfa_code before it runs.
"""

import importlib
import inspect
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import orjson
import yaml
from typing_extensions import override

from api.modelfiles import Kind
from predictor import formats, pfa_code, pfa_types
from predictor.config import Settings
from predictor.datatypes import check_wanted
from predictor.errors import LoadError
from predictor.loaded import Loaded
from predictor.model import Signature, Tensor
from predictor.refusals import NAMES_MAX, guarded, words

_LOG = logging.getLogger(__name__)
PLATFORM = "pfa"
_INPUT, _OUTPUT, _ROW = "input-0", "output-0", "row"
_BYTES_MAX = 256 * 1024 * 1024
_CHANGING = ("cell-to", "pool-to", "pool-del")
_EMBEDDED = (None, "embedded")


class _Arguments(NamedTuple):
    """What inspect.getargspec gave, as far as titus looks."""

    args: list[str]
    varargs: str | None
    keywords: str | None
    defaults: tuple[Any, ...] | None


class PfaModel:
    """One engine. Its `begin` has run; its `end` never does, because a server's input has none."""

    def __init__(self, path: Path, *, timeout_ms: int) -> None:
        self.path = path
        self.is_emitting = False
        self._timeout_ms = timeout_ms
        self._engine: Any = None
        self._encode: Any = None
        self._errors: tuple[type[Exception], ...] = ()
        self._input: Any = None
        self._output: Any = None
        self._taken: tuple[pfa_types.Column, ...] = ()
        self._given: tuple[pfa_types.Column, ...] = ()
        self._emitted: list[Any] = []

    def load(self) -> None:
        """Read the document, make its engine, run its `begin`; LoadError names the file."""
        titus = import_titus()
        document = self._read()
        try:
            with _no_warnings():
                self._make(titus, document)
        except LoadError as error:
            raise LoadError(f"{self.path} {error}") from None
        except MemoryError:
            raise LoadError(f"{self.path} needs more memory than there is") from None
        except Exception as error:  # noqa: BLE001 - whatever a file makes it raise
            _LOG.debug("loading %s failed", self.path, exc_info=True)
            said = f"{type(error).__name__}: {words(error)}"
            raise LoadError(f"{self.path} is no PFA document that runs here: {said}") from None
        self._input = orjson.loads(repr(self._engine.config.input))
        self._output = orjson.loads(repr(self._engine.config.output))
        self._taken = pfa_types.columns(self._input, default=_INPUT)
        self._given = pfa_types.columns(self._output, default=_OUTPUT)

    def run(self, inputs: dict[str, Tensor], wanted: tuple[str, ...] | None) -> dict[str, Tensor]:
        """An answer a row; of a document that emits, all that it emitted and from which row."""
        rows = pfa_types.rows(inputs, self._input, self._taken)
        with _no_warnings():
            answers, sources = guarded(lambda: self._answers(rows), refusing=self._errors)
        outputs = pfa_types.tensors(answers, self._output, self._given)
        if self.is_emitting:
            outputs[_ROW] = np.array(sources, np.int64)
        check_wanted(outputs, wanted)
        return outputs

    def describe(self) -> Signature:
        """What the metadata says: the fields of its records, with the types that they have."""
        outputs = [column.spec() for column in self._given]
        if self.is_emitting:
            outputs.append(pfa_types.Column(_ROW, "INT64").spec())
        return Signature(inputs=[column.spec() for column in self._taken], outputs=outputs)

    def facts(self) -> dict[str, Any]:
        """What else the metadata tells: how it answers, and the engine that does."""
        engine = self._engine
        found: dict[str, Any] = {"engine": "titus2", "method": str(engine.config.method)}
        if engine.config.version is not None:
            found["document_version"] = engine.config.version
        texts = [one.name for one in (*self._taken, *self._given) if one.is_json]
        if texts:
            found["json_text"] = texts
        if any(set(calls) & set(_CHANGING) for calls in engine.callGraph.values()):
            found["state"] = "of this replica"
        return found

    def _answers(self, rows: list[Any]) -> tuple[list[Any], list[int]]:
        answers: list[Any] = []
        sources: list[int] = []
        avro = self._engine.config.output
        for index, row in enumerate(rows):
            self._emitted.clear()
            one = self._engine.action(row)
            came = self._emitted if self.is_emitting else [one]
            answers += [self._encode(avro, each, False) for each in came]
            sources += [index] * len(came)
        return answers, sources

    def _read(self) -> dict[str, Any]:
        try:
            with self.path.open("rb") as file:
                data = file.read(_BYTES_MAX + 1)
        except OSError as error:
            raise LoadError(f"cannot read {self.path}: {error.strerror}") from None
        if len(data) > _BYTES_MAX:
            raise LoadError(f"{self.path} is larger than {_BYTES_MAX >> 20} MiB")
        is_json = data.lstrip()[:1] == b"{"
        try:
            document = orjson.loads(data) if is_json else yaml.load(data, _Plain)  # noqa: S506
        except (orjson.JSONDecodeError, yaml.YAMLError, RecursionError, ValueError) as error:
            what = "JSON" if is_json else "YAML"
            raise LoadError(f"{self.path} is not valid {what}: {words(error)}") from None
        if not isinstance(document, dict) or not {"input", "output", "action"} <= document.keys():
            raise LoadError(f"{self.path} is no PFA document: it has no input, output and action")
        return document

    def _make(self, titus: ModuleType, document: dict[str, Any]) -> None:
        _check_sources(document)
        config = titus.reader.jsonToAst(document)
        if str(config.method) == "fold":
            raise LoadError(
                "is of the method fold: each answer depends on all rows before it, of which every "
                "replica sees others; have it written with the method map"
            )
        options = titus.options.EngineOptions(config.options, None)
        asked = options.timeout if options.timeout > 0 else self._timeout_ms
        limits = {"timeout": min(asked, self._timeout_ms)}
        [self._engine] = titus.genpy.PFAEngine.fromAst(config, limits)
        self._engine.log = _log
        self._engine.emit = self._emitted.append
        self._encode = titus.datatype.jsonEncoder
        errors = titus.errors
        self._errors = (TypeError, errors.AvroException, errors.PFARuntimeException)
        self._errors += (errors.PFAUserException,)
        self.is_emitting = str(config.method) == "emit"
        if config.end:
            _LOG.warning("WARNING: %s has an `end`, which a server never reaches", self.path)
        self._engine.begin()
        self._emitted.clear()


class _Plain(yaml.SafeLoader):
    """YAML as JSON would be: no aliases, which can make a small file enormous."""

    @override
    def compose_node(self, parent: Any, index: int) -> Any:
        """A node of the document, which is no alias."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it has an alias, which PFA has no use for")
        return super().compose_node(parent, index)


def open_model(path: Path, kind: Kind, settings: Settings) -> Loaded:
    """Open a PFA document as the settings ask; LoadError names its file."""
    del kind  # there is one
    model = PfaModel(path, timeout_ms=settings.timeout_s * 1000)
    model.load()
    return Loaded(
        run=model.run,
        signature=None,
        platform=PLATFORM,
        described=model.describe(),
        facts=model.facts(),
        is_rowwise=not model.is_emitting,
    )


def import_titus() -> ModuleType:
    """titus, its engine included, with the two names that it misses while it is imported."""
    with _borrowed(np, "float_", np.float64), _borrowed(inspect, "getargspec", _arguments):
        formats.imported(["titus.genpy"], extra="pfa")
    importlib.import_module("titus.genpy").exec = pfa_code.execute  # type: ignore[attr-defined]
    return importlib.import_module("titus")


@contextmanager
def _borrowed(module: ModuleType, name: str, value: Any) -> Iterator[None]:
    is_missing = name not in vars(module)
    if is_missing:
        setattr(module, name, value)
    try:
        with _no_warnings():
            yield
    finally:
        if is_missing:
            delattr(module, name)


@contextmanager
def _no_warnings() -> Iterator[None]:
    """Nobody will heed what titus and Avro are warned of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _arguments(function: Any) -> _Arguments:
    return _Arguments(*inspect.getfullargspec(function)[:4])


def _check_sources(document: Mapping[str, Any]) -> None:
    """Nothing is read but the document: titus would fetch what a cell names, from anywhere."""
    for part in ("cells", "pools"):
        held = document.get(part)
        for name, cell in held.items() if isinstance(held, dict) else ():
            if isinstance(cell, dict) and cell.get("source") not in _EMBEDDED:
                raise LoadError(
                    f"reads the {part[:-1]} '{name}' from elsewhere (source: {cell['source']}): "
                    "have it written into the document"
                )


def _log(values: list[Any], namespace: str | None) -> None:
    said = ", ".join(words(value) for value in values[:NAMES_MAX])
    _LOG.info("the document says%s: %s", f" ({namespace})" if namespace else "", said)

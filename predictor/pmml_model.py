"""A PMML document: its fields as columns, its outputs as KServe's server names them.

For: choosing who evaluates it, and one sentence for a person when nobody can.
Must not know: HTTP, JSON, or where the file came from.

Java starts in 0.3 s and evaluates everything; where none is found, sklearn-pmml-model evaluates
what it knows, and the rest is refused by name.
"""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from api.modelfiles import Kind
from predictor import config, formats, pfa_types, pmml_files, pmml_java, pmml_sklearn
from predictor.config import Settings
from predictor.datatypes import check_wanted
from predictor.errors import LoadError
from predictor.loaded import Loaded
from predictor.model import Signature, Tensor, TensorSpec
from predictor.refusals import guarded

PLATFORM = "pmml"
_SHARE = "probability("  # JPMML's name for a class's probability
_AVRO: dict[str, Any] = {  # NaN is PMML's missing value
    "double": ["null", "double"],
    "float": ["null", "double"],
    "integer": "long",
    "boolean": "boolean",
}
_DATATYPES = {"double": "FP64", "float": "FP64", "integer": "INT64", "boolean": "BOOL"}


class Engine(Protocol):
    """Who evaluates the document."""

    def start(self) -> None:
        """Open it; LoadError names the file."""

    def evaluate(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Every value of every row by its name."""


class PmmlModel:
    """One document and its engine."""

    def __init__(self, path: Path, *, threads: int, java: str) -> None:
        self.path = path
        self.engine_name = pmml_java.NAME if java else pmml_sklearn.NAME
        self.document: pmml_files.Document
        self._threads = threads
        self._java = java
        self._engine: Engine
        self._record: dict[str, Any] = {}
        self._taken: tuple[pfa_types.Column, ...] = ()
        self._outputs: dict[str, str] = {}  # datatypes by name; empty: as they come

    def load(self) -> None:
        """Check the document, then have the engine read it; LoadError names the file."""
        try:
            self.document = pmml_files.read(self.path.read_bytes())
        except OSError as error:
            raise LoadError(f"cannot read {self.path}: {error.strerror}") from None
        except LoadError as error:
            raise LoadError(f"{self.path} {error}") from None
        except MemoryError:
            raise LoadError(f"{self.path} needs more memory than there is") from None
        names, known = self.document.inputs, self.document.fields
        if missing := [name for name in names if name not in known]:
            raise LoadError(f"{self.path} takes '{missing[0]}', which its dictionary lacks")
        fields = [{"name": n, "type": _AVRO.get(known[n].datatype, "string")} for n in names]
        self._record = {"type": "record", "name": "Row", "fields": fields}
        self._taken = pfa_types.columns(self._record, default="input-0")
        self._outputs = self._declared()
        self._engine = self._chosen()
        self._engine.start()

    def run(self, inputs: dict[str, Tensor], wanted: tuple[str, ...] | None) -> dict[str, Tensor]:
        """The target and every output the document declares, a value a row."""
        rows = pfa_types.rows(inputs, self._record, self._taken)
        answers = guarded(lambda: self._engine.evaluate(rows)) if rows else []
        names = self._outputs or _found(answers, self.document.target)
        outputs = {
            name: _array([answer.get(name) for answer in answers], datatype)
            for name, datatype in names.items()
        }
        check_wanted(outputs, wanted)
        return outputs

    def describe(self) -> Signature:
        """What the metadata says: the fields as the document declares them."""
        outputs = [
            TensorSpec(name=name, datatype=datatype, shape=(-1,))
            for name, datatype in self._outputs.items()
        ]
        return Signature(inputs=[column.spec() for column in self._taken], outputs=outputs)

    def facts(self) -> dict[str, Any]:
        """What else the metadata tells: who evaluates, and what."""
        document = self.document
        found: dict[str, Any] = {"engine": self.engine_name, "model": document.model}
        found["pmml_version"] = document.version
        found["feature_names"] = list(document.inputs)
        return found | ({"function": document.function} if document.function else {})

    def middles(self) -> dict[str, float] | None:
        """A row within the document's bounds, to explain others by; None where it has none.

        Zeros are outside of many documents' intervals, and what is outside has no answer.
        """
        known = self.document.fields
        found = {name: known[name].middle for name in self.document.inputs}
        middles = {name: value for name, value in found.items() if value is not None}
        return middles if found and len(middles) == len(found) else None

    def _chosen(self) -> Engine:
        document = self.document
        if self._java:
            target = document.target
            return pmml_java.JavaEngine(self.path, self._java, threads=self._threads, target=target)
        return pmml_sklearn.SklearnEngine(self.path, document, threads=self._threads)

    def _declared(self) -> dict[str, str]:
        """The names and datatypes of the outputs; {} for a model that only its engine knows."""
        document = self.document
        found: dict[str, str] = {}
        if document.target in document.fields:
            datatype = document.fields[document.target].datatype
            is_number = document.function == "regression"
            found[document.target] = "FP64" if is_number else _DATATYPES.get(datatype, "BYTES")
        for output in document.outputs:
            default = "FP64" if output.feature in ("probability", "confidence") else "BYTES"
            found[output.name] = (
                _DATATYPES.get(output.datatype, "BYTES") if output.datatype else default
            )
        if document.function == "classification" and not document.outputs:
            return {}
        return found


def open_model(path: Path, kind: Kind, settings: Settings) -> Loaded:
    """Open a PMML document as the settings ask; LoadError names its file."""
    del kind  # there is one
    model = PmmlModel(path, threads=settings.threads, java=find_java(config.inherited()))
    model.load()
    return Loaded(
        run=model.run,
        signature=None,
        platform=PLATFORM,
        described=model.describe(),
        facts=model.facts(),
        is_rowwise=True,
        baseline=model.middles(),
        baseline_by="the middle of each field's interval",
    )


def import_engine() -> None:
    """Import what evaluates documents here, before the fork of what serves one."""
    if find_java(config.inherited()):
        formats.imported(("py4j.java_gateway", "pypmml", "xml.parsers.expat"), extra="pmml")
    else:
        pmml_sklearn.import_estimators()


def find_java(environment: Mapping[str, str]) -> str:
    """The java of JAVA_HOME or of the path; "" where there is none."""
    if home := environment.get("JAVA_HOME"):
        found = Path(home) / "bin/java"
        if found.is_file():
            return str(found)
    return shutil.which("java", path=environment.get("PATH")) or ""


def _found(answers: Sequence[Mapping[str, Any]], target: str) -> dict[str, str]:
    """The outputs of a document that declares none: the target and what each class is worth."""
    given = list(answers[0]) if answers else [target]
    ours = [name for name in given if name.startswith(_SHARE)]
    return dict.fromkeys([target, *ours] if target in given else given, "")


def _array(values: list[Any], datatype: str) -> Tensor:
    """Values of a row each; what is null is NaN or, of texts, empty."""
    kinds = {type(value) for value in values if value is not None}
    if not datatype:
        datatype = "BYTES" if str in kinds else "FP64"
    if datatype == "BYTES":
        return np.array(["" if one is None else _text(one) for one in values], object)
    if None in values or datatype == "FP64":
        return np.array([np.nan if one is None else one for one in values], np.float64)
    return np.array(values, np.int64 if datatype == "INT64" else np.bool_)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)

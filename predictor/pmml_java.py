"""PMML evaluated by PMML4S in a Java process of this replica's own.

For: every kind of PMML model, with all the outputs that the document declares.
Must not know: tensors, HTTP, settings.

The process reads from a pipe that this process holds and ends when it breaks, however this
process ends. It listens on the loopback interface and asks for a secret that only we know: without
one, every user of the machine could run code in it.
"""

import importlib
import logging
import os
import resource
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from predictor import formats
from predictor.errors import Fault, LoadError, RequestError
from predictor.refusals import rejected, words

_LOG = logging.getLogger(__name__)
NAME = "pmml4s"
_OPTIONS = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
    "-XX:-UsePerfData",
    "-XX:ErrorFile=/dev/null",  # else a report in the user's folder; what failed is told
)
_START_S = 30  # it takes 0.3 s
_PREDICTED, _PROBABILITY = "predicted_", "probability_"


class JavaEngine:
    """One model in one Java process."""

    def __init__(self, path: Path, java: str, *, threads: int, target: str) -> None:
        self.path = path
        self.process_id = 0
        self._java = java
        self._threads = threads
        self._target = target
        self._gateway: Any = None
        self._model: Any = None
        self._errors: Any = None

    def start(self) -> None:
        """Start Java and have it read the document; LoadError names the file."""
        formats.imported(["py4j.java_gateway", "pypmml"], extra="pmml")
        self._errors = importlib.import_module("py4j.protocol")
        self._launch()
        try:
            self._model = self._gateway.jvm.org.pmml4s.model.Model.fromFile(str(self.path))
            self._model.setSupplementOutput(True)
        except self._errors.Py4JJavaError as error:
            said = _said(error)  # before the end of who says it
            self.stop()
            raise LoadError(f"{self.path} cannot be loaded with PMML4S: {said}") from None
        except self._errors.Py4JError as error:
            self.stop()
            sentence = f"{self.path}: Java ended while it read the document: {words(error)}"
            raise LoadError(sentence) from None

    def stop(self) -> None:
        """End the process; it is also ended by the end of this one."""
        if self._gateway is not None:
            process = self._gateway.java_process
            self._gateway.shutdown()
            process.stdin.close()
            process.wait()
            self._gateway = None

    def evaluate(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """What the document declares for each row, its target under the target's own name."""
        try:
            answer = self._model.predict(orjson.dumps(rows).decode())
        except self._errors.Py4JJavaError as error:
            raise rejected(f"the model: {_said(error)}") from None
        except self._errors.Py4JError as error:
            _LOG.error("Java is gone (%s): starting it again", words(error))
            self.stop()
            self.start()
            raise RequestError(Fault.MODEL_RAISED, kind="its Java process ended") from None
        return [self._named(row) for row in orjson.loads(answer)]

    def _named(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The names that JPMML, and KServe with it, gives where the document declares none."""
        found = dict(row)
        if self._target and (key := _PREDICTED + self._target) in found:
            found.setdefault(self._target, found[key])
        for name, value in row.items():
            if name.startswith(_PROBABILITY):
                found.setdefault(f"probability({name[len(_PROBABILITY) :]})", value)
        return found

    def _launch(self) -> None:
        gateway: Any = importlib.import_module("py4j.java_gateway")
        package = importlib.import_module("pypmml")
        jars = Path(str(package.__file__)).parent / "jars/*"
        options = [*_OPTIONS, f"-XX:ActiveProcessorCount={self._threads}", *_memory()]
        paths = f"{gateway.find_jar_path()}{os.pathsep}{jars}"
        server = ["py4j.GatewayServer", "--die-on-broken-pipe", "--enable-auth", "0"]
        port, secret, process = self._spawn(["-classpath", paths, *options, *server])
        self.process_id = process.pid
        parameters = gateway.GatewayParameters(port=port, auth_token=secret)
        self._gateway = gateway.JavaGateway(gateway_parameters=parameters, java_process=process)

    def _spawn(self, arguments: list[str]) -> tuple[int, str, subprocess.Popen[bytes]]:
        """The port and the secret that the process tells; it ends when its input does."""
        pipe = subprocess.PIPE
        with tempfile.TemporaryFile() as told:
            try:
                process = subprocess.Popen(  # noqa: S603 - the java that was found
                    [self._java, *arguments], stdin=pipe, stdout=pipe, stderr=told
                )
            except OSError as error:
                raise LoadError(f"{self.path} needs {self._java}: {error.strerror}") from None
            assert process.stdin is not None
            assert process.stdout is not None
            # Short of memory, Java may stand still for ever instead of ending.
            watch = threading.Timer(_START_S, process.kill)
            watch.start()
            with process.stdout as answers:
                port, secret = answers.readline().strip(), answers.readline().strip()
            watch.cancel()
            if port.isdigit() and secret:
                return int(port), secret.decode(), process
            process.stdin.close()
            process.kill()
            process.wait()
            told.seek(0)
            said = told.read(1000).decode(errors="replace").partition("\n")[0]
        raise LoadError(
            f"{self.path} is evaluated in Java, and {self._java} did not start: "
            f"{words(said or f'no word of it, or not within {_START_S} s')}"
        )


def _memory() -> list[str]:
    """Half of what this process may have; Java takes a quarter of the machine by itself."""
    limit, _ = resource.getrlimit(resource.RLIMIT_DATA)
    return [] if limit == resource.RLIM_INFINITY else [f"-Xmx{max(limit // 2, 16 << 20)}"]


def _said(error: Any) -> str:
    return words(error.java_exception.getMessage() or error.java_exception.getClass().getName())

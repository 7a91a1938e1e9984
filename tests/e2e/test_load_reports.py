"""Scaling on what replicas report of themselves: a program of one's own, and a model in Python."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from examples.running import Answer, Platform, send, wait_until
from tests.e2e.conftest import SERVICES, at_zero, create, service

pytestmark = pytest.mark.e2e

CLIENTS = 4

# Each request is as many tokens as its path says, for as long as it takes.
PROGRAM = """
import os, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
lock, tokens = threading.Lock(), 0
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        global tokens
        mine = int(self.path.strip("/") or 0)
        with lock:
            tokens += mine
        time.sleep(0.2 if mine else 0)
        self.send_response(200)
        self.send_header("content-length", "0")
        if self.headers.get("endpoint-load-metrics-format", "").lower() == "text":
            said = f"TEXT named_metrics.tokens_in_flight={tokens}, cpu_utilization=0.5"
            self.send_header("endpoint-load-metrics", said)
        self.end_headers()
        with lock:
            tokens -= mine
ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""

# One run at a time, of 100 ms: the requests behind it wait.
MODEL = """
import time
import numpy as np
from predictor.model import Model

class Talker(Model):
    tokens = 0

    def predict(self, inputs):
        self.tokens = int(np.ravel(inputs["tokens"])[0])
        time.sleep(0.1)
        return {"done": np.array([1])}

    def load_metrics(self):
        return {"tokens_in_flight": self.tokens}
"""


def knobs(metric: str, target: int) -> dict[str, str]:
    said = {"metric": metric, "target": str(target), "max-scale": "3"}
    return {f"autoscaling.knative.dev/{name}": text for name, text in said.items()}


@contextmanager
def load(ask: Callable[[], Answer]) -> Iterator[list[Answer]]:
    """So many clients, one request after the other each, until the end."""
    stopped = threading.Event()
    answers: list[Answer] = []

    def client() -> None:
        while not stopped.is_set():
            answers.append(ask())

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        stopped.set()
        for thread in threads:
            thread.join(60)


def grows(platform: Platform, name: str, least: int) -> None:
    wait_until(lambda: len(platform.pods(name)) >= least, 60, f"{name} to have {least} replicas")


def scaled(platform: Platform, name: str, ask: Callable[[], Answer], least: int) -> None:
    """Concurrency alone would be content with one replica, which is for 100 requests."""
    with load(ask) as answers:
        grows(platform, name, least)
    assert {answer.status for answer in answers} == {200}
    assert not any("endpoint-load-metrics" in answer.headers for answer in answers)
    at_zero(platform, name)


def test_a_program_that_reports_tokens_is_scaled_by_them(platform: Platform) -> None:
    made = service(
        "tokens",
        container={"image": "x/y", "command": ["python3", "-c", PROGRAM], "args": []},
        annotations=knobs("tokens-in-flight", 1000),
    )
    host = create(platform, made)
    # A client that asks for the report itself gets it.
    asked = platform.request(host, "/1", headers={"endpoint-load-metrics-format": "TEXT"})
    said = "TEXT named_metrics.tokens_in_flight=1, cpu_utilization=0.5"
    assert asked.headers["endpoint-load-metrics"] == said
    # 700 are aimed at, and there are up to 2000.
    scaled(platform, "tokens", lambda: platform.request(host, "/500"), 2)


@pytest.mark.parametrize(("metric", "target"), [("tokens-in-flight", 1000), ("queue-delay", 100)])
def test_a_model_that_reports_is_scaled_by_it(
    platform: Platform, folder: Path, metric: str, target: int
) -> None:
    (folder / "talker.py").write_text(MODEL)
    arguments = ("--python", f"{folder}/talker.py:Talker")
    host = create(platform, service(metric, *arguments, annotations=knobs(metric, target)))
    tensor = {"name": "tokens", "shape": [1], "datatype": "INT64", "data": [900]}
    body: dict[str, Any] = {"inputs": [tensor]}
    scaled(platform, metric, lambda: platform.request(host, f"/v2/models/{metric}/infer", body), 2)


def test_without_a_target_such_a_metric_is_refused(platform: Platform) -> None:
    annotations = {"autoscaling.knative.dev/metric": "queue-delay"}
    answer = send(platform.api, "localhost", SERVICES, service("aimless", annotations=annotations))
    assert answer.status == 400
    assert "missing field(s)" in answer.json()["message"]
    assert "say how many milliseconds a replica" in answer.json()["message"]

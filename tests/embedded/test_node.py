from decimal import Decimal

from embedded.node import Facts, node

FACTS = Facts(
    name="localhost",
    labels={"kubernetes.io/os": "linux"},
    address="127.0.0.1",
    capacity={"cpu": Decimal(2), "memory": Decimal(4 << 30), "nvidia.com/gpu": Decimal(0)},
    pods_max=110,
    kernel="6.18",
    system="Debian",
    architecture="amd64",
    machine_id="m",
    boot_id="b",
)


def test_a_node_says_what_a_machine_has_and_that_it_is_ready() -> None:
    raw = node(FACTS, now="2026-01-01T00:00:00Z")
    assert raw["metadata"] == {"name": "localhost", "labels": {"kubernetes.io/os": "linux"}}
    assert raw["status"]["capacity"] == {"cpu": "2", "memory": "4194304Ki", "pods": "110"}
    (ready,) = [each for each in raw["status"]["conditions"] if each["type"] == "Ready"]
    assert ready["status"] == "True"
    assert {"type": "InternalIP", "address": "127.0.0.1"} in raw["status"]["addresses"]
    assert raw["status"]["nodeInfo"]["kernelVersion"] == "6.18"

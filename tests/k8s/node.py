"""What only someone on a node can do: end a container's process as a crash would."""

import os
import signal
import subprocess
from typing import Any

import pytest

from tests.k8s.cluster import Cluster


def crash(cluster: Cluster, pod: dict[str, Any]) -> int:
    """SIGKILL to the process of the Pod's first container; its process id on the node."""
    container = pod["status"]["containerStatuses"][0]["containerID"].rpartition("/")[2]
    pid = _process(cluster, container)
    if cluster.state is not None:
        os.kill(pid, signal.SIGKILL)
    else:
        _on_node(cluster, "kill", "-9", str(pid))
    return pid


def _process(cluster: Cluster, container: str) -> int:
    for line in _on_node(cluster, *_ctr(cluster), "tasks", "list").splitlines()[1:]:
        name, pid, *_ = line.split()
        if name == container:
            return int(pid)
    raise LookupError(f"no process of container {container}")


def _ctr(cluster: Cluster) -> list[str]:
    of = ["--namespace", "k8s.io"]
    if cluster.state is not None:
        return ["ctr", "--address", f"{cluster.state}/run/containerd.sock", *of]
    return ["ctr", *of]


def _on_node(cluster: Cluster, *command: str) -> str:
    if cluster.state is None and not cluster.kind:
        pytest.skip("nobody here can enter the nodes of the cluster that KUBECONFIG names")
    where = [] if cluster.state is not None else ["docker", "exec", f"{cluster.kind}-control-plane"]
    done = subprocess.run([*where, *command], capture_output=True, text=True, check=True)
    return done.stdout

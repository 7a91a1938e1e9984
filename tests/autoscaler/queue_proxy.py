"""What a queue-proxy of Knative answers on its port for statistics."""

from aiohttp import web

from autoscaler.queue_stats import Stat


class QueueProxy:
    """One replica's; its numbers may be changed at any time."""

    def __init__(self, name: str = "p", concurrency: float = 0.0, proxied: float = 0.0) -> None:
        self.name = name
        self.concurrency, self.proxied = concurrency, proxied
        self.requests = 0.0
        self.asked = 0
        self.status = 200
        self.body: bytes | None = None

    async def metrics(self, request: web.Request) -> web.Response:
        """`GET /metrics`."""
        assert request.path == "/metrics"
        assert request.headers["Accept"] == "application/protobuf"
        self.asked += 1
        return web.Response(
            status=self.status, body=self.stat() if self.body is None else self.body
        )

    def stat(self) -> bytes:
        stat = Stat(
            pod_name=self.name,
            average_concurrent_requests=self.concurrency,
            average_proxied_concurrent_requests=self.proxied,
            request_count=self.requests,
            process_uptime=12.5,
            timestamp=1_712_345_678,
        )
        return bytes(stat.SerializeToString())

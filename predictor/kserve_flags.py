"""The flags of KServe's model servers that we do not serve, and why.

For: a manifest written for KServe that fails with a reason, and not with "unknown argument".
Must not know: which flags we have; config.py takes KServe's spelling of those.
"""

from collections.abc import Sequence

_ONE_PROCESS = "one replica is one process, and scaling adds replicas"
_ONE_LIMIT = "--max-body-bytes N is the limit of requests, gRPC's among them; answers have none"
_NO_TRANSFORMER = "it is a transformer's, and this is a predictor"
_LOGGING = "logs go to the standard error as they are"

REFUSED = {
    "--workers": _ONE_PROCESS,
    "--max_threads": "--threads N sets the threads of one run",
    "--max_asyncio_workers": _ONE_PROCESS,
    "--grpc_max_send_message_length": _ONE_LIMIT,
    "--grpc_max_receive_message_length": _ONE_LIMIT,
    "--enable_docs_url": "there is no page of documentation to serve",
    "--enable_latency_logging": "every answer has its run time in the header server-timing",
    "--configure_logging": _LOGGING,
    "--log_config_file": _LOGGING,
    "--access_log_format": _LOGGING,
    "--predictor_host": _NO_TRANSFORMER,
    "--protocol": "V1 and V2 are served side by side",
    "--predictor_protocol": _NO_TRANSFORMER,
    "--predictor_use_ssl": _NO_TRANSFORMER,
    "--predictor_request_timeout_seconds": _NO_TRANSFORMER,
    "--predictor_request_retries": _NO_TRANSFORMER,
    "--enable_predictor_health_check": _NO_TRANSFORMER,
}


def refusal(arguments: Sequence[str]) -> str:
    """One sentence on the first flag of KServe's among the arguments; "" if there is none."""
    for argument in arguments:
        flag = argument.partition("=")[0]
        if flag in REFUSED:
            return f"{flag} is KServe's and is not served: {REFUSED[flag]}"
    return ""

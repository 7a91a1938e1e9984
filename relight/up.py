"""`relight up`: the whole platform in this terminal.

For: the flags of the platform and the few lines it says when it is ready.
Must not know: what a platform consists of; it is imported only when it shall run.
"""

import argparse
import logging
import sys
from pathlib import Path

from relight import config
from relight.errors import Exit

_EXAMPLE = """example:
  relight up
  relight up --data-dir ./.relight --port 0 --api-port 0
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "up",
        help="run the platform here until it is interrupted",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="where everything is kept")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    parser.add_argument("--port", type=int, default=8080, help="for requests; 0: a free one")
    parser.add_argument("--api-port", type=int, default=8001, help="for kubectl; 0: a free one")
    parser.add_argument(
        "--api-host",
        default="",
        metavar="HOST",
        help="the address for kubectl (else --host); others than loopback get TLS and a token",
    )
    parser.add_argument(
        "--secure", action="store_true", help="TLS and a token for kubectl on loopback too"
    )
    parser.add_argument("--domain", default="localhost", help="what service hosts end in")
    parser.add_argument("--model-root", type=Path, default=Path.cwd(), metavar="DIR")
    parser.add_argument("--max-pods", type=int, default=110, metavar="N")
    parser.add_argument("--spares", type=int, default=4, metavar="N", help="replicas forked ahead")
    parser.add_argument(
        "--libraries",
        default="",
        metavar="A,B",
        help="of formats, as sklearn,xgboost: imported ahead; else when a model needs them",
    )
    parser.add_argument(
        "--libraries-max", type=int, default=4, metavar="N", help="sets of libraries kept imported"
    )
    parser.add_argument(
        "--state",
        default="",
        metavar="URL",
        help="a Redis for the autoscaler's windows: redis://HOST:PORT/DB; else a file in DIR",
    )
    parser.add_argument(
        "--frozen-memory",
        default="25%",
        metavar="SIZE",
        help="for replicas kept frozen: N%% of what is available, or 512Mi; 0: none",
    )
    parser.add_argument(
        "--fetched",
        default="100Gi",
        metavar="SIZE",
        help="disk for fetched models; what a revision pins stays in any case",
    )
    parser.add_argument("--quiet", action="store_true", help="say nothing but errors")


def run(args: argparse.Namespace) -> int:
    """Run until interrupted."""
    # Imported here: the other commands must not pay for loading a platform.
    from embedded.config import Settings, SettingsError
    from embedded.datadir import DataDirectoryError
    from embedded.storage_errors import StorageError
    from embedded.up import Addresses
    from embedded.up import run as run_platform
    from embedded.zygote import ZygoteError
    from telemetry import logs

    def announce(addresses: Addresses) -> None:
        if not args.quiet:
            print(f"Requests: {addresses.activator}\nAPI server: {addresses.api}")
            print(f"kubectl --kubeconfig {addresses.kubeconfig} get ksvc", flush=True)

    logs.configure(level=logging.ERROR if args.quiet else logging.INFO)
    try:
        settings = Settings(
            data_dir=config.data_dir(args.data_dir, config.surroundings()).absolute(),
            host=args.host,
            port=args.port,
            api_host=args.api_host,
            api_port=args.api_port,
            secure=args.secure,
            domain=args.domain,
            model_root=args.model_root.absolute(),
            max_pods=args.max_pods,
            spares=args.spares,
            libraries=tuple(name for name in args.libraries.split(",") if name),
            libraries_max=args.libraries_max,
            state=args.state,
            fetched=args.fetched,
            frozen_memory=args.frozen_memory,
        )
        return run_platform(settings, announce=announce)
    except SettingsError as error:
        print(f"relight: {error}", file=sys.stderr)
        return Exit.USAGE
    except (DataDirectoryError, StorageError, ZygoteError, OSError) as error:
        print(f"relight: {error}", file=sys.stderr)
        return Exit.FAILED

"""The settings of one predictor, parsed once from its arguments and its environment.

For: every flag and variable, its bounds, and an error that names it.
Must not know: models, sockets, or what the settings are used for.
"""

import argparse
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from api import keys
from api.modelfiles import FLAGS
from predictor import provider_options
from predictor.errors import SettingsError
from predictor.kserve_flags import refusal
from predictor.provider_options import Options
from predictor.short_way import ShortWay

_MIB = 1024 * 1024
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

# Knative's defaults and bounds (config-defaults): 1000 is container-concurrency-max-limit.
_CONCURRENCY_MAX = 1000
_TIMEOUT_DEFAULT_S = 300
_TIMEOUT_MAX_S = 24 * 3600
_LINGER_MAX_S = 600
_BATCH_SIZE_MAX = 65_536
PREPARED_DEFAULT_BYTES = 8 * 1024 * _MIB
_BATCH_DELAY_DEFAULT_MS = 5.0  # KServe's batcher waits 5 s unless told otherwise
_HOST_DEFAULT = "127.0.0.1"
_FETCHED_DEFAULT_BYTES = 100 * 1024 * _MIB
_BATCH_DELAY_MAX_MS = 60_000.0

# Set for the zygote so that it stays single-threaded; not meant for what it executes.
ZYGOTE_ONLY = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "ORT_DISABLE_TELEMETRY")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What one predictor serves and within which limits."""

    model: str  # URI of a model file or of the folder it is in; "" for a Python model
    repository: str  # folder of models opened when they are asked for; "" for one model
    models_bytes_max: int  # of all open models of a repository together; 0 = no limit
    models_max: int  # how many of them are open at a time; 0 = no limit
    python_file: str
    python_class: str
    model_name: str
    providers: tuple[str, ...]  # () lets the machine decide
    threads: int
    body_bytes_max: int
    host: str
    port: int
    grpc_port: int | None  # one more, for a predictor run alone; both speak HTTP and gRPC
    has_grpc: bool
    container_concurrency: int  # 0 = no limit
    timeout_s: int
    service: str
    revision: str  # "" when nobody made one
    trust_pickle: bool  # the user's word that a pickle may run its code
    predict_proba: bool  # scikit-learn: probabilities, as KServe's variable asks for
    batch_size_max: int  # rows; 0 = no batching
    batch_delay_s: float
    provider_options: Options
    cache_dir: Path  # of what can be made again; it need not be there
    prepared: bool  # load prepared models, and have them prepared
    prepared_bytes_max: int  # of all prepared models together
    fetched_bytes_max: int  # of all fetched models together
    signature_name: str = ""  # of several that a TensorFlow model has; "" for its default
    transformer_file: str = ""  # code around the model, "" for none
    transformer_class: str = ""
    model_digest: str  # pinned and verified by whoever started us; "" = hash the file
    linger_s: int = 0  # told to leave, it accepts for so long at most, while some still send here
    is_name_given: bool = True  # else it is the file's, and a settings file may know better


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="predictor",
        add_help=False,
        allow_abbrev=False,
        exit_on_error=False,
        description="Serve one model.",
    )
    parser.add_argument(
        *FLAGS,
        dest="model",
        default="",
        metavar="URI",
        help="model: path, file://, http(s)://, s3://, gs://, hf://",
    )
    parser.add_argument("--repository", default="", metavar="DIR", help="many models, as asked for")
    parser.add_argument(
        "--models-memory-mib", type=int, default=0, metavar="N", help="of all open ones (0: any)"
    )
    parser.add_argument("--models-max", type=int, default=0, metavar="N", help="open ones (0: any)")
    parser.add_argument("--python", default="", metavar="FILE.py:CLASS", help="a Model in Python")
    around_help = "a Transformer in Python around it"
    parser.add_argument("--transformer", default="", metavar="FILE.py:CLASS", help=around_help)
    name_help = "name in paths (default: $K_SERVICE)"
    parser.add_argument("--model-name", "--model_name", default="", help=name_help)
    signature_help = "one of a TensorFlow model's signatures"
    parser.add_argument("--signature-name", default="", metavar="NAME", help=signature_help)
    parser.add_argument("--trust-pickle", action="store_true", help="load pickles: they run code")
    parser.add_argument("--max-batch-size", type=int, metavar="N", help="rows run at once")
    parser.add_argument(
        "--max-batch-delay-ms", type=float, metavar="F", help="longest wait for others (default 5)"
    )
    parser.add_argument("--providers", default="", help="execution providers, comma-separated")
    parser.add_argument(provider_options.FLAG, default="", metavar="JSON", help="by provider")
    parser.add_argument("--cache-dir", default="", metavar="DIR", help="of what can be made again")
    parser.add_argument(
        "--prepared", choices=("auto", "off"), default="auto", help="prepared models (default auto)"
    )
    parser.add_argument(
        "--fetched-bytes-max",
        type=int,
        default=_FETCHED_DEFAULT_BYTES,
        metavar="N",
        help="of all fetched models in the cache (default 100 GiB)",
    )
    parser.add_argument(
        "--prepared-bytes-max",
        type=int,
        default=PREPARED_DEFAULT_BYTES,
        metavar="N",
        help="of all prepared models in the cache (default 8 GiB)",
    )
    parser.add_argument(
        "--threads", "--nthread", type=int, default=1, help="threads of one run (default 1)"
    )
    parser.add_argument(
        "--max-body-bytes", type=int, default=64 * _MIB, help="largest body (default 64 MiB)"
    )
    _add_listening(parser)
    return parser


def _add_listening(parser: argparse.ArgumentParser) -> None:
    host_help = f"address to listen on (default: ${keys.ENV_HOST} or {_HOST_DEFAULT})"
    parser.add_argument("--host", default="", help=host_help)
    port_help = "port (default: $PORT or 8080)"
    parser.add_argument("--port", "--http_port", type=int, default=-1, help=port_help)
    grpc_help = "one more port, for gRPC, which is served on the other too (default: none)"
    parser.add_argument("--grpc-port", "--grpc_port", type=int, metavar="N", help=grpc_help)
    parser.add_argument(
        "--enable-grpc", "--enable_grpc", default="true", metavar="BOOL", help="default true"
    )


_PARSER = _parser()  # once, before any fork: building it costs more than using it
_SHORT_WAY = ShortWay(_PARSER)


def parse(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """Settings, or SettingsError naming the flag or variable."""
    flags = _SHORT_WAY.read(arguments) or _read(arguments)
    python_file, python_class = _python("--python", flags.python)
    transformer_file, transformer_class = _python("--transformer", flags.transformer)
    if [bool(flags.model), bool(python_file), bool(flags.repository)].count(True) != 1:
        raise SettingsError(
            "give exactly one of --model URI, --python FILE.py:CLASS and --repository DIR"
        )
    if transformer_file and flags.repository:
        raise SettingsError("--transformer: it is around one model, not around a repository's")
    _check_repository(flags)
    port = flags.port if flags.port != -1 else _number(environment, keys.ENV_PORT, 8080, 0, 65535)
    batch_size_max, batch_delay_s = _batching(flags)
    return Settings(
        model=flags.model,
        repository=flags.repository,
        models_bytes_max=_within("--models-memory-mib", flags.models_memory_mib, 0, 2**30) * _MIB,
        models_max=_within("--models-max", flags.models_max, 0, 100_000),
        python_file=python_file,
        python_class=python_class,
        transformer_file=transformer_file,
        transformer_class=transformer_class,
        signature_name=flags.signature_name,
        model_name=_model_name(flags, environment),
        is_name_given=bool(flags.model_name or environment.get(keys.ENV_SERVICE)),
        providers=_providers(flags.providers),
        threads=_within("--threads", flags.threads, 1, 1024),
        body_bytes_max=_within("--max-body-bytes", flags.max_body_bytes, 1, 2**40),
        host=flags.host or environment.get(keys.ENV_HOST) or _HOST_DEFAULT,
        port=_within("--port", port, 0, 65535),
        grpc_port=_grpc_port(flags),
        has_grpc=_has_grpc(flags),
        container_concurrency=_number(environment, keys.ENV_CONCURRENCY, 0, 0, _CONCURRENCY_MAX),
        timeout_s=_number(environment, keys.ENV_TIMEOUT_S, _TIMEOUT_DEFAULT_S, 1, _TIMEOUT_MAX_S),
        service=environment.get(keys.ENV_SERVICE, ""),
        revision=environment.get(keys.ENV_REVISION, ""),
        trust_pickle=flags.trust_pickle,
        predict_proba=_truth(environment, keys.ENV_PREDICT_PROBA),
        batch_size_max=batch_size_max,
        batch_delay_s=batch_delay_s,
        provider_options=provider_options.read(flags.provider_options),
        cache_dir=_cache_dir(flags.cache_dir, environment),
        prepared=flags.prepared == "auto",
        fetched_bytes_max=_within("--fetched-bytes-max", flags.fetched_bytes_max, 0, 2**50),
        prepared_bytes_max=_within("--prepared-bytes-max", flags.prepared_bytes_max, 0, 2**50),
        model_digest=_digest(environment),
        linger_s=_number(environment, keys.ENV_LINGER_S, 0, 0, _LINGER_MAX_S),
    )


def _read(arguments: Sequence[str]) -> argparse.Namespace:
    try:
        flags, unknown = _PARSER.parse_known_args(list(arguments))
    except argparse.ArgumentError as error:
        raise SettingsError(str(error)) from None
    if unknown:
        if sentence := refusal(unknown):
            raise SettingsError(sentence)
        raise SettingsError(f"unknown argument '{unknown[0]}'")
    return flags


def _check_repository(flags: argparse.Namespace) -> None:
    """What is said of many models needs many, and a name is said of one."""
    for name in ("models_memory_mib", "models_max"):
        if getattr(flags, name) and not flags.repository:
            raise SettingsError(f"--{name.replace('_', '-')}: give --repository as well")
    if flags.signature_name and not flags.model:
        raise SettingsError("--signature-name: it is of one model: give --model as well")
    if flags.repository and flags.model_name:
        raise SettingsError("--model-name: the models of a repository are named by their folders")


def _grpc_port(flags: argparse.Namespace) -> int | None:
    if flags.grpc_port is None:
        return None
    if not _has_grpc(flags):
        raise SettingsError("--grpc-port: there is no gRPC with --enable-grpc false")
    return _within("--grpc-port", flags.grpc_port, 0, 65535)


def _has_grpc(flags: argparse.Namespace) -> bool:
    said = flags.enable_grpc.lower()  # KServe's servers take True as well
    if said not in ("true", "false"):
        raise SettingsError(f"--enable-grpc: expected true or false, got '{flags.enable_grpc}'")
    return bool(said == "true")


def usage() -> str:
    """The help text."""
    return _PARSER.format_help()


def inherited() -> dict[str, str]:
    """This process's environment. The only place that reads it."""
    return dict(os.environ)  # noqa: TID251 - config.py is where it is read


def adopt(environment: Mapping[str, str]) -> None:
    """Add to this process's environment, so that a user's code and CUDA see it."""
    ours = os.environ  # noqa: TID251 - and where it is written
    for name, value in environment.items():
        if ours.get(name) != value:  # most are: to set one costs more than to look
            ours[name] = value


def _python(flag: str, text: str) -> tuple[str, str]:
    if not text:
        return "", ""
    file, colon, name = text.rpartition(":")
    if not colon or not file or not name.isidentifier():
        raise SettingsError(f"{flag}: expected FILE.py:CLASS, got '{text}'")
    return file, name


def is_name(text: str) -> bool:
    """Whether a model can be served under a name."""
    return _NAME.fullmatch(text) is not None


def _model_name(flags: argparse.Namespace, environment: Mapping[str, str]) -> str:
    if flags.model_name:
        name, source = flags.model_name, "--model-name"
    elif environment.get(keys.ENV_SERVICE):
        name, source = environment[keys.ENV_SERVICE], keys.ENV_SERVICE
    else:
        one = flags.model or flags.repository or flags.python.rpartition(":")[0]
        name = (PurePath(one) if "://" in one else Path(one).absolute()).stem
        source = "the model's file name, which stands in for --model-name,"
    if not is_name(name):
        raise SettingsError(f"{source}: '{name}' is not a name of letters, digits, '.', '_', '-'")
    return str(name)


def _providers(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",")) if text else ()
    if not all(names):
        raise SettingsError(f"--providers: an empty name in '{text}'")
    return names


def _batching(flags: argparse.Namespace) -> tuple[int, float]:
    size, delay_ms = flags.max_batch_size, flags.max_batch_delay_ms
    if size is None:
        if delay_ms is not None:
            raise SettingsError("--max-batch-delay-ms: give --max-batch-size as well")
        return 0, 0.0
    delay_ms = _BATCH_DELAY_DEFAULT_MS if delay_ms is None else delay_ms
    if not 0 <= delay_ms <= _BATCH_DELAY_MAX_MS:  # refuses nan as well
        expected = f"0 to {_BATCH_DELAY_MAX_MS}"
        raise SettingsError(f"--max-batch-delay-ms: expected {expected}, got {delay_ms}")
    return _within("--max-batch-size", size, 1, _BATCH_SIZE_MAX), delay_ms / 1000


def _cache_dir(given: str, environment: Mapping[str, str]) -> Path:
    if given or environment.get(keys.ENV_CACHE):
        return Path(given or environment[keys.ENV_CACHE])
    shared = environment.get("XDG_CACHE_HOME") or f"{environment.get('HOME', '')}/.cache"
    return Path(shared) / "relight"


def _truth(environment: Mapping[str, str], name: str) -> bool:
    text = environment.get(name, "").lower()
    if text not in ("", "true", "false"):
        raise SettingsError(f"{name}: expected true or false, got '{environment[name]}'")
    return text == "true"


def _digest(environment: Mapping[str, str]) -> str:
    text = environment.get(keys.ENV_MODEL_DIGEST, "")
    if text and not _DIGEST.fullmatch(text):
        raise SettingsError(f"{keys.ENV_MODEL_DIGEST}: expected sha256:<64 hex>, got '{text}'")
    return text


def _number(environment: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = environment.get(name, "")
    if not text:
        return default
    try:
        value = int(text)
    except ValueError:
        raise SettingsError(f"{name}: expected a whole number, got '{text}'") from None
    return _within(name, value, low, high)


def _within(name: str, value: int, low: int, high: int) -> int:
    if not low <= value <= high:
        raise SettingsError(f"{name}: expected {low} to {high}, got {value}")
    return value

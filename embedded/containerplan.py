"""What one container's next run is made of: its request, where it belongs, its last words.

For: everything between a container's spec and the message that asks for its process.
Must not know: when it is started, or what becomes of it.
"""

import pwd
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from api.keys import HOSTS
from api.objects import Raw
from embedded import fetchedmodels, probing, security
from embedded.environment import environment, expanded
from embedded.launching import (
    CommandLaunch,
    PredictorLaunch,
    Refusal,
    has_default_readiness,
    is_mounted,
    launch_of,
    with_model,
    with_transformer,
)
from embedded.mounts import Mount
from embedded.podfiles import write_confinement
from embedded.podlog import PodLog
from embedded.residence import Residence
from embedded.security import Credentials
from embedded.zygote import Zygote

_CODE_AT = "/mnt/relight-transformer"  # see below
_MODELS_AT = "/mnt/relight-model"  # where another user reads what our folder keeps to ourselves
_MESSAGE_BYTES_MAX = 4096
_HOSTS = Path("/etc/hosts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What to start, all that it refers to being there."""

    launch: PredictorLaunch | CommandLaunch
    confinement: str  # the file that says where it belongs; "" for nowhere else
    port: int


class ContainerPlan:
    """One container's."""

    def __init__(self, container: Raw, home: Residence, *, is_init: bool) -> None:
        """`is_init`: it runs to its end, and serves nothing."""
        self.container = container
        self.name = str(container["name"])
        self.home = home
        self.is_init = is_init
        containers = home.spec.get("containers") or ()
        self.is_serving = not is_init and container is containers[home.serving]
        self.folder = home.folder / self.name
        self._model = ""  # as we find it
        self._copy = ("", "")  # where the model is read from, and what its owner calls it

    def next(self) -> Start | Refusal:
        """What to start now; MissingError, MountError, VolumeError."""
        has_port = bool(self.container.get("command")) and not self.is_init
        port = self.home.port_of(self.container) if has_port else 0
        env = environment(
            self.container, self.home.about, self.home.lookup, port=port if has_port else None
        )
        launch = launch_of(self.home.pod, self.container, env)
        if isinstance(launch, Refusal):
            return launch
        return Start(launch=launch, confinement=self._confinement(env), port=port)

    def _confinement(self, env: Mapping[str, str], *also: Mount) -> str:
        if not (also or self._is_particular):
            return ""
        expand = partial(expanded, env=env)
        mounts = self.home.files.mounts(self.home.spec, self.container, expand=expand)
        path = self.container.get("terminationMessagePath")
        if path:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._last_words.write_bytes(b"")
            self._last_words.chmod(0o666)
            source = str(self._last_words.resolve())
            mounts.append(Mount(source=source, target=str(Path(path).resolve()), is_dir=False))
        names = self._host_names
        has_more = bool(names or self.home.spec.get("hostAliases"))
        if has_more and all(each.target != str(_HOSTS) for each in mounts):
            mounts.append(self._hosts(names))
        is_root = self.home.around.machine().owner.is_root
        file = self.folder / "confinement.json"
        return write_confinement(file, [*mounts, *also], self._credentials, is_root=is_root)

    @property
    def _is_particular(self) -> bool:
        """Whether anything of it could differ from what the platform itself has."""
        own = ("volumeMounts", "terminationMessagePath", "securityContext")
        pods = ("securityContext", "hostAliases")
        is_own = any(map(self.container.get, own)) or any(map(self.home.spec.get, pods))
        return is_own or bool(self._host_names)

    @property
    def _host_names(self) -> list[str]:
        """Names that are to lead to this machine, where a process can have files of its own.

        Where it can not, they are left to the machine's resolver, which may know them: not
        every one knows what ends in localhost.
        """
        if self.home.around.machine().no_mounts:
            return []
        annotations = self.home.pod["metadata"].get("annotations") or {}
        return str(annotations.get(HOSTS, "")).replace(",", " ").split()

    def _hosts(self, names: Sequence[str]) -> Mount:
        """The machine's table of hosts, what the Pod adds to it, and these names of ours."""
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "hosts"
        known = _HOSTS.read_text(errors="replace") if _HOSTS.is_file() else ""
        added = self.home.spec.get("hostAliases") or ()
        told = (f"{each['ip']}\t{' '.join(each.get('hostnames') or ())}" for each in added)
        lines = [known.rstrip(), *told]
        if names:
            lines.append(f"127.0.0.1 {' '.join(names)}")
        file.write_text("\n".join(lines) + "\n")
        file.chmod(0o644)
        target = str(_HOSTS.resolve())
        return Mount(source=str(file.resolve()), target=target, is_dir=False, is_read_only=True)

    @property
    def _is_of_another_user(self) -> bool:
        return self._credentials.uid not in (None, self.home.around.machine().owner.uid)

    @property
    def _credentials(self) -> Credentials:
        owner = self.home.around.machine().owner
        return security.credentials(self.home.spec, self.container, owner, group_of=_group_of)

    # -- requests ----------------------------------------------------------------------------

    def request(self, start: Start, argv: tuple[str, ...]) -> dict[str, Any]:
        """What asks for a command where the container runs."""
        return {"kind": "exec", "argv": argv, **self._rest(start.launch.env, start.confinement)}

    async def predictor_request(self, launch: PredictorLaunch, confinement: str) -> dict[str, Any]:
        """What asks for our predictor; ModelError, MountError, VolumeError."""
        args, models = launch.args, self.home.around.models
        copy = original = around = self._model = ""
        if launch.transformer and launch.digest and not is_mounted(launch.model, self.container):
            original = launch.model or launch.code.rpartition(":")[0]
            code = "" if launch.model else original
            file = launch.transformer.rpartition(":")[0]
            copy, around = await models.prepare_pair(launch.model, code, file, launch.digest)
            self._model = copy if launch.model else ""
        elif launch.model and not is_mounted(launch.model, self.container):
            original = launch.model
            copy = fetchedmodels.cached(launch, self.container, self.home) or (
                await models.prepare(original, launch.digest)
            )
            self._model = copy
        elif launch.code:
            original = launch.code.rpartition(":")[0]
            copy = await models.prepare_code(original, launch.digest)
        if (copy or around) and self._is_particular and self._is_of_another_user:
            mounts = [_mount(copy, _MODELS_AT), _mount(around, _CODE_AT)]
            confinement = self._confinement(launch.env, *filter(None, mounts))
            copy, around = _moved(copy, _MODELS_AT), _moved(around, _CODE_AT)
        if copy:
            args = with_model(args, copy)
            self._copy = (copy, original)
        if around:
            args = with_transformer(args, around)
        return {"kind": "predictor", "args": args, **self._rest(launch.env, confinement)}

    async def parent(self, launch: PredictorLaunch, request: Mapping[str, Any]) -> Zygote:
        """Who forks our predictor as quickly as can be."""
        around, zygote = self.home.around, self.home.around.zygote
        if around.templates is not None:
            zygote = around.templates.zygote_for(self.home.pod, request)
        if around.libraries is not None and zygote is around.zygote:
            return await around.libraries.zygote_for(self._model, launch.digest)
        return zygote

    def _rest(self, env: Mapping[str, str], confinement: str) -> dict[str, Any]:
        """What of a request is the same for whatever runs in the container."""
        cwd = self.container.get("workingDir") or str(self.home.around.work_dir)
        rest = {"env": {**self.home.base_env, **env}, "cwd": cwd}
        return {**rest, "confinement": confinement} if confinement else rest

    # -- probes ------------------------------------------------------------------------------

    @property
    def has_default_readiness(self) -> bool:
        """Whether it needs no readiness probe of ours."""
        return has_default_readiness(self.container, is_knative=self.home.is_knative)

    @property
    def is_ready_when_listening(self) -> bool:
        """Knative's default; a Pod of the user's own is ready once it runs, as in Kubernetes."""
        return self.is_serving and self.home.is_knative and self.has_default_readiness

    def probes(self) -> list[probing.Probe]:
        """What there is to ask while it runs."""
        if self.is_init:
            return []
        found = probing.probes_of(self.container, is_knative=self.home.is_knative)
        is_default = self.has_default_readiness
        return [each for each in found if each.kind != "readiness" or not is_default]

    # -- last words --------------------------------------------------------------------------

    @property
    def _last_words(self) -> Path:
        return self.folder / "termination-log"

    def in_their_words(self, message: str) -> str:
        """The same message about the user's own file, not about our copy of it."""
        ours, theirs = self._copy
        return message.replace(ours, theirs) if ours else message

    def message(self, log: PodLog, *, is_error: bool) -> str:
        """What it wrote for us, else what it said of itself, or wrote last."""
        if self.container.get("terminationMessagePath"):
            with suppress(OSError):
                written = self._last_words.read_bytes()[:_MESSAGE_BYTES_MAX]
                if written:
                    return written.decode(errors="replace")
        if log.failure:
            return log.failure
        is_file_only = self.container.get("terminationMessagePolicy") == "File"
        return "" if is_file_only or (self.is_init and not is_error) else log.tail()


def _mount(copy: str, target: str) -> Mount | None:
    """Where a process of another user sees the folder that a copy of ours is in."""
    source = str(Path(copy).parent.resolve())
    return Mount(source=source, target=target, is_read_only=True) if copy else None


def _moved(copy: str, target: str) -> str:
    return f"{target}/{Path(copy).name}" if copy else ""


def _group_of(uid: int) -> int:
    """A user's own group; the superuser's for one that this machine does not know."""
    try:
        return pwd.getpwuid(uid).pw_gid
    except KeyError:
        return 0

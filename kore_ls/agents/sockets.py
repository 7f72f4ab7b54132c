"""Sockets of services of this machine: what connects to one acts outside of any sandbox. Connects to none."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

_PLACES = ("/run", "/var/run", "/tmp/.X11-unix", "/tmp/.ICE-unix", "/var/lib/docker", "/var/lib/containerd")
_VARIABLES = ("XDG_RUNTIME_DIR", "SSH_AUTH_SOCK", "DBUS_SESSION_BUS_ADDRESS", "DOCKER_HOST", "GPG_AGENT_INFO", "TMUX")
_TABLE = Path("/proc/net/unix")


class Listeners:
    """The names of the sockets that are open on this machine, read once when first asked."""

    @cached_property
    def _names(self) -> frozenset[str] | None:
        try:
            lines = _TABLE.read_text(errors="surrogateescape").splitlines()[1:]
        except OSError:
            return None
        return frozenset(Path(line.split(None, 7)[7]).name for line in lines if len(line.split(None, 7)) > 7)

    def may_hear(self, path: Path) -> bool:
        """Whether somebody may listen at a socket; what an ended program left behind is nobody's."""
        return self._names is None or path.name in self._names


def well_known(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Where services of the machine and of the user's login listen, as far as that is there: real paths."""
    named = [environ.get(name, "") for name in _VARIABLES]
    named = [each.split("unix:path=")[-1].removeprefix("unix://").split(",")[0].split(":")[0] for each in named]
    places = {Path(os.path.realpath(each)) for each in (*_PLACES, *named) if each.startswith("/")}
    return tuple(sorted(each for each in places if each.exists() and len(each.parts) > 1))

"""External agents by name: no more than command lines, what they may see of the environment, and their own places."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

from kore_ls.agents.environment import find_program
from kore_ls.errors import AgentUnavailable
from kore_ls.model.agent_settings import AgentSettings


@frozen(kw_only=True)
class Preset:
    """One agent. The first of `commands` that is installed is used; `own` are its places below the home directory.

    `variables` of the environment are passed on; `provider` is whose key it takes, in the first of them.
    """

    commands: tuple[tuple[str, ...], ...]
    variables: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    provider: str | None = None
    reads: bool = True
    """Whether it may ask us for files: some take the answer that there is none for a failure of ours."""


PRESETS: Mapping[str, Preset] = {
    "claude-code": Preset(
        commands=(("claude-agent-acp",), ("claude-code-acp",)),
        variables=(
            *("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL", "ANTHROPIC_MODEL"),
            *("CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CONFIG_DIR", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"),
        ),
        own=(".claude", ".claude.json"),
        provider="anthropic",
    ),
    "codex": Preset(
        commands=(("codex-acp",),),
        variables=("OPENAI_API_KEY", "OPENAI_BASE_URL", "CODEX_API_KEY", "CODEX_HOME"),
        own=(".codex",),
        provider="openai",
    ),
    "gemini": Preset(
        commands=(("gemini", "--experimental-acp"),),
        variables=("GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_GEMINI_BASE_URL", "GOOGLE_CLOUD_PROJECT"),
        own=(".gemini",),
        provider="google",
        reads=False,
    ),
    "opencode": Preset(
        commands=(("opencode", "acp"),),
        variables=("OPENCODE_CONFIG", "OPENCODE_CONFIG_DIR", "ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY"),
        own=(".config/opencode", ".local/share/opencode", ".local/state/opencode", ".cache/opencode"),
    ),
}

_NONE = Preset(commands=())


@frozen(kw_only=True)
class Program:
    """An external agent as it is started: `argv` begins with a real path. `name` tells agents apart."""

    name: str
    argv: tuple[str, ...]
    preset: Preset


def program_of(
    settings: AgentSettings, preset: str | None, environ: Mapping[str, str], folder: Path = Path(os.sep, "nowhere")
) -> Program:
    """The program of a preset (absent: the settings' own), by the settings where they are about it.

    A program that the folder brought along is none. Raises AgentUnavailable.
    """
    name = preset or settings.preset
    mine = settings.backend == "acp" and (preset is None or preset == settings.preset)
    known = _NONE if name is None else PRESETS.get(name)
    if known is None:
        raise AgentUnavailable("there is no such preset; known are " + ", ".join(PRESETS), reason="preset")
    if mine and settings.command is not None:
        lines: tuple[tuple[str, ...], ...] = ((settings.command, *(settings.args or ())),)
    elif mine and settings.args is not None:
        lines = tuple((line[0], *settings.args) for line in known.commands)
    else:
        lines = known.commands
    if not lines:
        raise AgentUnavailable("set `agent.preset` or `agent.command`", reason="command")
    for command, *rest in lines:
        if (found := _found(command, environ, folder)) is not None:
            return Program(name=name or command, argv=(found, *rest), preset=known)
    raise AgentUnavailable("its program is not on the PATH", reason="program")


def _found(command: str, environ: Mapping[str, str], folder: Path) -> str | None:
    if not os.path.isabs(command):  # noqa: PTH117 - a text, as the user wrote it
        return None if os.sep in command else find_program(command, environ, folder=folder)
    usable = os.access(command, os.X_OK) and not Path(os.path.realpath(command)).is_relative_to(folder)
    return command if usable else None

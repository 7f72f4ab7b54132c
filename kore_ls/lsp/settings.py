"""A client's settings, read so that a bad one costs only itself: it falls back to its default and is complained of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Annotated, Any

from attrs import asdict, evolve, fields, frozen

from kore_ls.errors import InvalidParams
from kore_ls.model.agent_settings import agent_problem, read_agent
from kore_ls.model.limits import JsonObject, between, name_problem, one_of, unicode_problem
from kore_ls.model.message import ToolKind
from kore_ls.model.mode import AgentMode
from kore_ls.model.secret import Secret, key_problem, passphrase_problem
from kore_ls.model.settings import KEEP_BYTES, KEEP_DAYS, ClientSettings, UserRule
from kore_ls.rpc.codec import Checked, Codec, camel

DAY_MS = 86_400_000

FROM_WORKSPACE = frozenset(
    {
        "auto_save_interval",
        "max_sessions",
        "evict_idle",
        "session_name_prefix",
        "default_mode",
        "locale",
        "synchronous",
        "workspace_symbols",
    }
)
"""What may also come from the workspace's configuration, which belongs to the repository, not to the user."""


def storage_dir_problem(value: str) -> str | None:
    """A store's directory: relative, and inside its folder on every system."""
    windows = PureWindowsPath(value)
    if not windows.parts or "\0" in value:
        return "must name a directory"
    if windows.drive or windows.root or PurePosixPath(value).is_absolute() or ".." in windows.parts:
        return "must be a relative path inside the folder"
    return unicode_problem(value)


def _events_problem(value: Any) -> str | None:
    if type(value) is bool or (type(value) is list and all(type(word) is str for word in value)):
        return None
    return "must be true, false or an array of event types"


def _locale_problem(value: str) -> str | None:
    return None if re.fullmatch(r"[A-Za-z]{1,8}([-_.@][A-Za-z0-9-]{1,16}){0,4}", value) else "must be a language tag"


@frozen(kw_only=True)
class _Rule:
    """The form of `UserRule` on the wire."""

    answer: Annotated[str, Checked(one_of("allow", "ask", "deny"))]
    modes: tuple[AgentMode, ...] = ()
    kinds: tuple[ToolKind, ...] = ()
    paths: tuple[Annotated[str, Checked(unicode_problem)], ...] = ()
    argv: tuple[Annotated[str, Checked(unicode_problem)], ...] = ()
    unsandboxed: bool = False


@frozen(kw_only=True)
class _Options:
    """The form of `ClientSettings` on the wire."""

    storage_dir: Annotated[str, Checked(storage_dir_problem)] | None = None
    auto_save_interval: Annotated[int, Checked(between(100, DAY_MS))] | None = None
    max_sessions: Annotated[int, Checked(between(0, 1_000_000))] | None = None
    evict_idle: bool | None = None
    session_name_prefix: Annotated[str, Checked(name_problem)] | None = None
    default_mode: AgentMode | None = None
    locale: Annotated[str, Checked(_locale_problem)] | None = None
    synchronous: Annotated[str, Checked(one_of("normal", "full"))] | None = None
    trusted: bool | None = None
    events: Annotated[Any, Checked(_events_problem)] | None = None
    permissions: bool | None = None
    workspace_symbols: bool | None = None
    agent: Annotated[JsonObject, Checked(agent_problem)] | None = None
    rules: tuple[_Rule, ...] | None = None
    lsp_bridge: tuple[Annotated[str, Checked(unicode_problem)], ...] | None = None
    passphrase: Annotated[str, Checked(passphrase_problem)] | None = None
    key: Annotated[str, Checked(key_problem)] | None = None
    indexed_messages: Annotated[int, Checked(between(0, 100_000_000))] | None = None
    keep_days: Annotated[int, Checked(between(*KEEP_DAYS))] | None = None
    keep_bytes: Annotated[int, Checked(between(*KEEP_BYTES))] | None = None
    backups: bool | None = None


_OPTIONS = "initializationOptions.kore"
_SECRETS = (f"{_OPTIONS}.passphrase:", f"{_OPTIONS}.key:")
_NAMES = {camel(a.name): a.name for a in fields(_Options)}


@frozen(kw_only=True)
class Reading:
    """Settings as far as they are known: what was `given` (by Python name), and what was wrong with the rest."""

    settings: ClientSettings
    given: frozenset[str]
    problems: tuple[str, ...]


def read_options(params: Any, environment: Mapping[str, str]) -> Reading:
    """The settings in `initializationOptions.kore` of `initialize` params; unknown keys are ignored.

    The locale is, in this order, the one given there, the client's, the environment's.
    """
    options = params.get("initializationOptions")
    values, problems = _read(options.get("kore") if isinstance(options, dict) else None, _OPTIONS)
    given = frozenset(values)
    client = params.get("locale")
    if "locale" not in values:
        usable = isinstance(client, str) and _locale_problem(client) is None
        values["locale"] = client if usable else _environment_locale(environment)
    unusable = any(text.startswith(_SECRETS) for text in problems)
    values["secret"] = _secret(values.pop("passphrase", None), values.pop("key", None), environment, problems, unusable)
    return Reading(settings=ClientSettings(**values), given=given, problems=tuple(problems))


def add_workspace_section(reading: Reading, section: Any) -> Reading:
    """`reading` with what section `kore` of the workspace's configuration may add: nothing the client gave itself."""
    values, problems = _read(section, "kore", FROM_WORKSPACE)
    fresh = {name: value for name, value in values.items() if name not in reading.given}
    settings = evolve(reading.settings, **fresh)
    return Reading(settings=settings, given=reading.given | frozenset(fresh), problems=tuple(problems))


def _read(section: Any, path: str, allowed: frozenset[str] | None = None) -> tuple[dict[str, Any], list[str]]:
    if section is None:
        return {}, []
    if not isinstance(section, dict):
        return {}, [f"{path}: must be an object"]
    codec, values, problems = Codec(), {}, []
    for key, value in section.items():
        name = _NAMES.get(key)
        if name is None or value is None or (allowed is not None and name not in allowed):
            continue
        try:
            values[name] = asdict(codec.structure({key: value}, _Options), recurse=False)[name]
        except InvalidParams as error:
            problems += [text.replace("params", path, 1) for text in error.problems]
    if "rules" in values:
        values["rules"] = tuple(UserRule(**asdict(rule, recurse=False)) for rule in values["rules"])
    if "agent" in values:
        values["agent"] = read_agent(values["agent"])
    if isinstance(values.get("events"), list):
        values["events"] = tuple(values["events"])
    return values, problems


def _secret(
    passphrase: str | None, key: str | None, environment: Mapping[str, str], problems: list[str], unusable: bool
) -> Secret:
    """What the client gave, else the environment. One that is none of either is complained of, never quoted."""
    if unusable:
        return Secret(unusable=True)
    if passphrase is None and key is None:
        passphrase, key = environment.get("KORE_PASSPHRASE") or None, environment.get("KORE_DB_KEY") or None
        if key is not None and (problem := key_problem(key)) is not None:
            problems.append(f"KORE_DB_KEY: {problem}")
            return Secret(unusable=True)
    return Secret(passphrase=passphrase, key=key)


def _environment_locale(environment: Mapping[str, str]) -> str | None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := environment.get(name, ""):
            tag = value.partition(".")[0].replace("_", "-")
            return None if tag in ("C", "POSIX") else tag
    return None

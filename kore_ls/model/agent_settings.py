"""Which agent a user has chosen and how it is reached. It comes from the user alone, never from a folder or a store."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from kore_ls.model.limits import unicode_problem

BACKENDS = ("builtin", "model", "acp")
"""The kinds of agents, the default first."""

_MOST_WORDS = 200
_MOST_CHARS = 8_000
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")


@frozen(kw_only=True)
class AgentSettings:
    """How sessions are answered that chose nothing else.

    `model`, `base_url`, `api_key_env` and `context_window` (tokens) are for a `model`; `preset`, `command`, `args` and
    `env` for an external agent (`acp`). No key is in here, only the name of the variable that holds one.
    """

    backend: str = "builtin"
    model: str | None = None
    base_url: str | None = None
    api_key_env: str | None = None
    context_window: int | None = None
    preset: str | None = None
    command: str | None = None
    args: tuple[str, ...] | None = None
    env: Mapping[str, str] = field(factory=dict, repr=False)


_TEXTS = {
    "model": "model",
    "baseUrl": "base_url",
    "apiKeyEnv": "api_key_env",
    "preset": "preset",
    "command": "command",
}


def agent_problem(value: Any) -> str | None:
    """An agent: an object with `backend` and what that needs."""
    try:
        read_agent(value)
    except ValueError as error:
        return str(error)
    return None


def read_agent(value: Any) -> AgentSettings:
    """Settings as users write them, in camelCase; unknown keys are ignored.

    Raises ValueError naming the key, never the value.
    """
    if not isinstance(value, Mapping):
        raise ValueError("must be an object")
    if value.get("backend") not in BACKENDS:
        raise ValueError("backend must be one of " + ", ".join(BACKENDS))
    taken: dict[str, Any] = {"backend": value["backend"]}
    for key, name in _TEXTS.items():
        if value.get(key) is not None:
            taken[name] = _text(key, value[key])
    if "base_url" in taken and not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", taken["base_url"]):
        raise ValueError("baseUrl must be an http or https address without a user name, query or fragment")
    if "api_key_env" in taken and not _VARIABLE.fullmatch(taken["api_key_env"]):
        raise ValueError("apiKeyEnv must name an environment variable")
    if value.get("contextWindow") is not None:
        window = value["contextWindow"]
        if type(window) is not int or not 1_000 <= window <= 100_000_000:
            raise ValueError("contextWindow must be a number of tokens")
        taken["context_window"] = window
    if value.get("args") is not None:
        if not isinstance(value["args"], list | tuple) or len(value["args"]) > _MOST_WORDS:
            raise ValueError("args must be a list of texts")
        taken["args"] = tuple(_text("args", each, empty=True) for each in value["args"])
    if value.get("env") is not None:
        taken["env"] = _variables(value["env"])
    return AgentSettings(**taken)


def _variables(value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping) or len(value) > _MOST_WORDS:
        raise ValueError("env must be an object of texts")
    for name in value:
        if not isinstance(name, str) or not _VARIABLE.fullmatch(name) or name.upper().startswith("KORE_"):
            raise ValueError("env holds a name that can't be given to an agent")
    return {name: _text("env", each, empty=True) for name, each in value.items()}


def _text(key: str, value: Any, *, empty: bool = False) -> str:
    if not isinstance(value, str) or len(value) > _MOST_CHARS or "\0" in value or unicode_problem(value) is not None:
        raise ValueError(f"{key} must be a text")
    if not empty and not value.strip():
        raise ValueError(f"{key} must not be blank")
    return value

"""A client's settings: each is taken as it is given or falls back alone, with a word about it."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from kore_ls.lsp.settings import Reading, add_workspace_section, read_options
from kore_ls.model.agent_settings import AgentSettings
from kore_ls.model.mode import AgentMode
from kore_ls.model.secret import Secret
from kore_ls.model.settings import ClientSettings

DEFAULTS = ClientSettings()
ALL = {
    "storageDir": ".kore/team",
    "autoSaveInterval": 5000,
    "maxSessions": 0,
    "evictIdle": False,
    "sessionNamePrefix": "对话",
    "defaultMode": "plan",
    "locale": "zh-cn",
    "synchronous": "full",
    "trusted": False,
    "events": ["session.created", "some.later.type"],
    "permissions": True,
    "workspaceSymbols": True,
    "agent": {"backend": "model", "model": "qwen3:8b", "baseUrl": "http://localhost:1/v1", "apiKeyEnv": "MY_KEY"},
    "keepDays": 365,
    "keepBytes": 10_000_000,
    "backups": False,
}
TAKEN = ClientSettings(
    storage_dir=".kore/team",
    auto_save_interval=5000,
    max_sessions=0,
    evict_idle=False,
    session_name_prefix="对话",
    default_mode=AgentMode.PLAN,
    locale="zh-cn",
    synchronous="full",
    trusted=False,
    events=("session.created", "some.later.type"),
    permissions=True,
    workspace_symbols=True,
    agent=AgentSettings(backend="model", model="qwen3:8b", base_url="http://localhost:1/v1", api_key_env="MY_KEY"),
    keep_days=365,
    keep_bytes=10_000_000,
    backups=False,
)


def read(options: Any, **params: Any) -> Reading:
    return read_options({"initializationOptions": {"kore": options}} | params, {})


def test_every_setting_is_taken() -> None:
    reading = read(ALL)
    assert reading.settings == TAKEN and reading.problems == ()


@pytest.mark.parametrize("params", [{}, {"initializationOptions": None}, {"initializationOptions": 7}])
def test_without_options_there_are_defaults(params: Any) -> None:
    assert read_options(params, {}).settings == DEFAULTS


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("storageDir", ""),
        ("storageDir", "."),
        ("storageDir", "/abs"),
        ("storageDir", "../out"),
        ("storageDir", "a/../../out"),
        ("storageDir", "..\\out"),
        ("storageDir", "C:\\x"),
        ("storageDir", "a\0b"),
        ("storageDir", 7),
        ("autoSaveInterval", 7),
        ("autoSaveInterval", "30000"),
        ("autoSaveInterval", 1.5),
        ("maxSessions", -1),
        ("maxSessions", True),
        ("evictIdle", "yes"),
        ("sessionNamePrefix", "  "),
        ("sessionNamePrefix", "x" * 201),
        ("defaultMode", "god"),
        ("locale", "no language"),
        ("locale", 7),
        ("synchronous", "off"),
        ("trusted", 1),
        ("events", "all"),
        ("events", [1]),
        ("permissions", []),
        ("workspaceSymbols", {}),
        ("agent", "model"),
        ("agent", {"backend": "other"}),
        ("agent", {"backend": "model", "model": 7}),
        ("agent", {"backend": "model", "baseUrl": "ftp://x"}),
        ("agent", {"backend": "model", "baseUrl": "http://name:word@host/v1"}),
        ("agent", {"backend": "model", "apiKeyEnv": "sk-not-a-name"}),
        ("agent", {"backend": "model", "contextWindow": 1}),
        ("agent", {"backend": "model", "args": "all"}),
        ("agent", {"backend": "model", "env": {"KORE_DB_KEY": "x"}}),
    ],
)
def test_a_bad_value_falls_back_alone_and_is_told_without_being_repeated(key: str, value: Any) -> None:
    reading = read(ALL | {key: value})
    name = {"storageDir": "storage_dir"}.get(key, "".join("_" + c.lower() if c.isupper() else c for c in key))
    assert reading.settings == evolve(TAKEN, **{name: getattr(DEFAULTS, name)})
    assert len(reading.problems) == 1
    assert reading.problems[0].startswith(f"initializationOptions.kore.{key}")
    assert repr(value) not in reading.problems[0]


@pytest.mark.parametrize("options", ["text", 7, [], True])
def test_options_that_are_no_object_are_told(options: Any) -> None:
    assert read(options).settings == DEFAULTS
    assert read(options).problems == ("initializationOptions.kore: must be an object",)


def test_unknown_keys_and_nulls_are_ignored() -> None:
    reading = read({"token": "x", "future": 1, "maxSessions": None, "max_sessions": 3})
    assert reading.settings == DEFAULTS and reading.problems == ()


@pytest.mark.parametrize(
    ("option", "client", "environment", "locale"),
    [
        ("zh", "en", {"LANG": "fr_FR.UTF-8"}, "zh"),
        (None, "en", {"LANG": "fr_FR.UTF-8"}, "en"),
        (None, 7, {"LANG": "fr_FR.UTF-8"}, "fr-FR"),
        (None, None, {"LC_ALL": "zh_CN.UTF-8", "LANG": "en_US"}, "zh-CN"),
        (None, None, {"LC_ALL": "", "LANG": "C.UTF-8"}, None),
        (None, None, {}, None),
    ],
)
def test_the_locale_is_the_option_the_clients_or_the_environments(
    option: Any, client: Any, environment: dict[str, str], locale: str | None
) -> None:
    params = {"locale": client, "initializationOptions": {"kore": {"locale": option}}}
    assert read_options(params, environment).settings.locale == locale


def test_the_workspace_adds_what_the_client_left_open() -> None:
    section = {"maxSessions": 3, "defaultMode": "general", "locale": "zh"}
    reading = add_workspace_section(read({"maxSessions": 20}, locale="en"), section)
    assert reading.settings == ClientSettings(max_sessions=20, default_mode=AgentMode.GENERAL, locale="zh")


def test_the_workspace_never_decides_about_trust_storage_what_is_kept_or_what_is_sent() -> None:
    own = ("storageDir", "trusted", "events", "permissions", "agent", "keepDays", "keepBytes", "backups")
    section = {key: ALL[key] for key in own}
    assert add_workspace_section(read({}), section | {"trusted": True}).settings == DEFAULTS


@pytest.mark.parametrize("section", [None, 7, {"maxSessions": -1}])
def test_a_bad_section_changes_nothing(section: Any) -> None:
    reading = add_workspace_section(read({}), section)
    assert reading.settings == DEFAULTS
    assert len(reading.problems) == (section is not None)


KEY = f"hex:{bytes(32).hex()}"


def test_a_key_comes_from_the_client_or_else_from_the_environment() -> None:
    environment = {"KORE_PASSPHRASE": "from outside", "KORE_DB_KEY": KEY}
    assert read({"passphrase": "mine"}).settings.secret == Secret(passphrase="mine")
    assert read_options({}, environment).settings.secret.value == bytes(32)
    options = {"initializationOptions": {"kore": {"passphrase": "mine"}}}
    assert read_options(options, environment).settings.secret == Secret(passphrase="mine")


def test_a_key_never_comes_from_the_workspace() -> None:
    reading = add_workspace_section(read({}), {"passphrase": "theirs", "key": KEY})
    assert not reading.settings.secret


@pytest.mark.parametrize("key", ["", "geheim", "hex:00", "base64:geheim", 7])
def test_a_bad_key_is_complained_of_without_being_quoted(key: object) -> None:
    reading = read({"key": key})
    assert len(reading.problems) == 1 and "geheim" not in str(reading)
    assert not reading.settings.secret and reading.settings.secret.unusable
    outside = read_options({}, {"KORE_DB_KEY": str(key)})
    assert "geheim" not in str(outside) and len(outside.problems) == (1 if key != "" else 0)
    assert outside.settings.secret.unusable == (key != "")


def test_settings_don_t_show_the_key() -> None:
    assert "geheim" not in repr(read({"passphrase": "geheim"}))

"""The user's own configuration: taken as it is, taken anew when it changes, never in the way when it is bad."""

from __future__ import annotations

from pathlib import Path

import pytest

from kore_ls.model.agent_settings import AgentSettings
from kore_ls.sessions.user_config import UserConfig


def test_there_need_be_none(tmp_path: Path) -> None:
    assert UserConfig(None).agent is None
    assert UserConfig(tmp_path / "config.toml").agent is None


def test_it_is_taken_and_taken_anew_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    config = UserConfig(file)
    file.write_text('[agent]\nbackend = "model"\nmodel = "ollama:qwen3:8b"\ncontext_window = 32000\n')
    assert config.agent == AgentSettings(backend="model", model="ollama:qwen3:8b", context_window=32_000)
    file.write_text('[agent]\nbackend = "model"\nbaseUrl = "http://127.0.0.1:1/v1"\napi_key_env = "MINE"\n')
    assert config.agent == AgentSettings(backend="model", base_url="http://127.0.0.1:1/v1", api_key_env="MINE")
    file.unlink()
    assert UserConfig(file).agent is None


@pytest.mark.parametrize(
    "text",
    ["[agent", "agent = 7", '[agent]\nbackend = "geheim"', '[agent]\nbackend = "model"\nbase_url = "geheim"', "\udcff"],
)
def test_a_bad_one_is_told_without_being_quoted(tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    config = UserConfig(file)
    assert config.agent is None
    assert config.problem and "can't be used" in caplog.text
    assert "geheim" not in caplog.text

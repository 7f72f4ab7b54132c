"""kore/agent/setKey: a provider's key is used, and is nowhere to be seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kore_ls.api import TABLE
from tests.client import Client

KEY = "sk-very-secret-key"


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY", "DEEPSEEK_API_KEY"):
        monkeypatch.delenv(name, raising=False)


async def known(client: Client) -> set[str]:
    found = (await client.call("kore/agent/list"))["providers"]
    return {each["provider"] for each in found if each["hasKey"]}


async def test_a_key_is_known_from_when_it_is_set_until_it_is_forgotten(client: Client) -> None:
    assert "anthropic" not in await known(client)
    assert await client.call("kore/agent/setKey", {"provider": "anthropic", "key": KEY}) == {"provider": "anthropic"}
    assert "anthropic" in await known(client)
    assert await client.call("kore/agent/setKey", {"provider": "anthropic"}) == {"provider": "anthropic"}
    assert "anthropic" not in await known(client)


async def test_a_key_in_the_environment_is_known(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_KEY", "  ")
    assert "google" in await known(client)
    assert "openai" not in await known(client)


async def test_a_key_is_in_no_answer_no_log_and_no_file(
    client: Client, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    answers: list[Any] = [await client.call("kore/agent/setKey", {"provider": "deepseek", "key": KEY})]
    session = await client.create()
    await client.add(session["id"], "x")
    answers.append(await client.call("kore/agent/list"))
    answers.append(await client.call("kore/session/export", {"sessionId": session["id"]}))
    await client.call("kore/session/save")
    assert KEY not in str(answers) + caplog.text + repr(client.workspace.app.keys)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files and all(KEY.encode() not in path.read_bytes() for path in files)


@pytest.mark.parametrize("key", ["", " ", "with space", "geheim\n", "schlüssel-geheim", "\ud800", 7])
async def test_what_is_no_key_is_refused_without_being_quoted(client: Client, key: Any) -> None:
    error = await client.refused("kore/agent/setKey", {"provider": "openai", "key": key})
    assert error.kind == "invalidParams" and error.problems[0].startswith("params.key: must be")
    assert "geheim" not in str(error)


async def test_an_unknown_provider_is_refused(client: Client) -> None:
    error = await client.refused("kore/agent/setKey", {"provider": "nobody", "key": KEY})
    assert error.kind == "invalidParams" and error.problems[0].startswith("params.provider: must be one of")


def test_setting_a_key_is_no_workspace_command() -> None:
    assert TABLE["kore/agent/setKey"].command is None

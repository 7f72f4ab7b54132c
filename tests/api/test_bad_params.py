"""Every method, every param: what breaks the contract is refused by name, and nothing is stored."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from kore_ls.api import TABLE
from tests.api.params import bad_params, fields_of, good_params
from tests.client import Client, Json, Refused


async def _everything(client: Client) -> list[Json]:
    """All that is stored, as far as a client can see it."""
    seen: list[Json] = [await client.call("kore/store/status")]
    for filters in ({}, {"archived": True}, {"deleted": True}):
        for session in (await client.call("kore/session/list", filters))["sessions"]:
            document = (await client.call("kore/session/export", {"sessionId": session["id"]}))["document"]
            seen += [session, {key: value for key, value in document.items() if key != "exported_at"}]
    for each in seen:
        for name in ("bytes", "indexedMessages"):  # these change by themselves
            each.pop(name, None)
    return seen


@pytest.mark.parametrize("method", TABLE)
async def test_a_bad_param_is_named_and_nothing_is_stored(client: Client, method: str) -> None:
    session = await client.create(name="kept")
    await client.add(session["id"], "kept")
    before = await _everything(client)
    for name, params in bad_params(method, session["id"]):
        error = await client.refused(method, params)
        shown = json.dumps(params)[:200]
        assert (error.code, error.kind, error.params) == (-32602, "invalidParams", {}), shown
        assert error.problems, shown
        for problem in error.problems:
            assert problem.startswith((f"params.{name}: ", f"params.{name}[", f"params.{name}.")), shown
    assert await _everything(client) == before
    await client.add(session["id"], "goes on")


@pytest.mark.parametrize("method", TABLE)
async def test_params_that_are_no_object_are_refused(client: Client, method: str) -> None:
    values: list[object] = ["x", 7, True, False, 1.5, [1], [{}], ["x"], 0, ""]
    for params in values:
        error = await client.refused(method, params)
        assert error.problems == ["params: must be an object"], params


@pytest.mark.parametrize("method", [method for method in TABLE if not any(f.required for f in fields_of(method))])
async def test_params_may_be_missing_or_empty_where_all_are_optional(client: Client, method: str) -> None:
    answers = []
    nothing: list[Any] = [None, {}, [], {field.name: None for field in fields_of(method)}, {"unknownKey": [1, None]}]
    for params in nothing:
        try:
            answers.append(sorted(await client.call(method, params)))
        except Refused as error:
            answers.append([error.kind, *error.problems])
    assert answers == [answers[0]] * len(answers)


@pytest.mark.parametrize("method", TABLE)
async def test_unknown_keys_are_ignored(client: Client, method: str) -> None:
    outcomes = []
    for number, more in enumerate(({}, {"": 1, "session_id": 7, "__class__": "x", "unknown": {"a": None}})):
        session = await client.create()
        params = good_params(method, session["id"])
        for written in {"path", "directory"} & set(params):
            params[written] = f"file-{number}"
        try:
            outcomes.append(sorted(await client.call(method, params | more)))
        except Refused as error:
            outcomes.append([error.kind, *error.problems])
    assert outcomes[0] == outcomes[1]


async def test_all_problems_are_told_at_once(client: Client) -> None:
    error = await client.refused("kore/message/add", {"sessionId": "../x", "role": "nobody", "timestamp": -1})
    assert {problem.split(":")[0] for problem in error.problems} == {
        "params.sessionId",
        "params.role",
        "params.timestamp",
        "params.content",
    }


async def test_a_reply_to_a_million_bad_values_is_short(client: Client) -> None:
    error = await client.refused("kore/session/delete", {"sessionIds": [""] * 1_000_000})
    assert len(error.problems) == 100


@pytest.mark.parametrize(
    ("method", "limit"),
    [("kore/session/list", 0), ("kore/session/list", 201), ("kore/message/list", 0), ("kore/message/list", 1001)],
)
async def test_a_page_has_a_bearable_size(client: Client, method: str, limit: int) -> None:
    session = await client.create()
    error = await client.refused(method, {"sessionId": session["id"], "limit": limit})
    assert error.problems[0].startswith("params.limit: must be from 1 to ")


CANARY = "CaNaRy-7f3a"


@pytest.mark.parametrize("method", TABLE)
async def test_no_error_and_no_log_repeats_what_was_sent(
    client: Client, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Ids are the one thing that may be repeated, and only if they have the form of one."""
    caplog.set_level(logging.DEBUG, logger="kore_ls")
    session = await client.create(name=CANARY, tags=[CANARY], metadata={CANARY: CANARY})
    await client.add(session["id"], CANARY, id="m")
    where = {"sessionId": session["id"]}
    await client.call("kore/session/update", where | {"description": CANARY, "config": {CANARY: CANARY}})
    spoiled = f"{CANARY}\0{CANARY}"
    values = [
        spoiled,
        CANARY + "x" * 300,
        "\ud800" + CANARY,
        [spoiled],
        {spoiled: spoiled},
        [[spoiled]],
        {CANARY: CANARY},
    ]
    told: list[str] = []
    for field in fields_of(method):
        for value in values:
            if field.name in ("path",):
                value = json.dumps(value)[:20] + "/" + CANARY + "/missing/x"
            try:
                await client.call(method, good_params(method, session["id"]) | {field.name: value})
            except Refused as error:
                told.append(str(error))
    await client.refused("kore/message/add", where | {"id": "m", "role": "user", "content": CANARY * 2})
    assert CANARY not in "".join(told)
    assert CANARY not in caplog.text

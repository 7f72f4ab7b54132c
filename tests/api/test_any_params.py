"""Whatever JSON comes as params, with or without a store: a result, or an error with a kind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kore_ls.api import TABLE
from kore_ls.errors import error_tree
from tests.api.params import Field, fields_of
from tests.client import Client, Refused
from tests.transcripts import real_transcript

KINDS = frozenset(error.kind for error in error_tree())

_TEXT = st.text(st.characters(), max_size=20) | st.sampled_from(["", "\0", "\ud800", "../../x", "file:///", "x" * 300])
_SCALAR = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _TEXT
JSON = st.recursive(
    _SCALAR, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4), max_leaves=12
)
_HARMLESS = st.sampled_from(["out.json", "missing/x", ".", "", "a\0", ".kore/sessions.db", "\ud800", "x" * 300])
"""Paths are not left to chance: a test writes only into its own folder."""


def _document() -> st.SearchStrategy[Any]:
    """Near misses of a document: a good one with something odd at one place."""
    whole = real_transcript(60, large=False)
    whole["messages"] = whole["messages"][:3]

    def spoiled(place: tuple[str, ...], value: Any) -> Any:
        document = json.loads(json.dumps(whole))
        target = document["messages"][1] if place[0] == "messages" and len(place) > 1 else document
        target[place[-1]] = value
        return document

    places = [(key,) for key in whole] + [("messages", key) for key in whole["messages"][1]]
    return st.builds(spoiled, st.sampled_from(places), JSON)


def _value(field: Field, session_id: str) -> st.SearchStrategy[Any]:
    if field.name == "path":
        return _HARMLESS
    if field.name == "document":
        return JSON | _document()
    known = [field.good(session_id)]
    if field.name == "sessionIds":
        known.append([session_id])
    return st.sampled_from(known) | JSON


def _params(method: str, session_id: str) -> st.SearchStrategy[Any]:
    of_fields = {field.name: _value(field, session_id) for field in fields_of(method)}
    required = {field.name: of_fields.pop(field.name) for field in fields_of(method) if field.required}
    anything = JSON.filter(lambda value: not (isinstance(value, dict) and "path" in value))
    return st.fixed_dictionaries(required, optional=of_fields) | anything


@pytest.mark.parametrize("stored", [False, True], ids=["without a store", "with a store"])
@pytest.mark.parametrize("method", TABLE)
async def test_any_params_get_an_answer(client: Client, folder: Path, method: str, stored: bool) -> None:
    session_id = "s"
    if stored:
        session_id = (await client.create())["id"]
        await client.add(session_id, "x")

    @settings(max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(params=_params(method, session_id))
    def examples(params: Any) -> None:
        drawn.append(params)

    drawn: list[Any] = []
    examples()
    for params in drawn:
        try:
            await client.call(method, params)
        except Refused as error:
            assert error.kind in KINDS, params
    assert await client.call("kore/store/check") == {"ok": True, "problems": []}

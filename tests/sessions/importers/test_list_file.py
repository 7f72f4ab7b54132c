"""JSON files that are read part by part: every part as a JSON parser reads it, and what damage costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kore_ls.errors import ImportInvalid
from kore_ls.sessions.importers import list_file
from kore_ls.sessions.importers.list_file import TOP, entries, parts, surroundings
from kore_ls.sessions.importers.thread import Notes

TEXTS = st.text(st.sampled_from('\\"[]{},:\n中🔑\ud800a'), max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(TEXTS, inside, max_size=3),
    max_leaves=10,
)


def read(path: Path, name: str) -> tuple[dict[str, Any], list[tuple[int, Any]], list[str]]:
    """What the file says besides the list, its entries with their numbers, and what was noted."""
    notes = Notes()
    found = list(parts(path, name, notes))
    with path.open("rb") as file:
        assert all(part.again(file) == part.value for part in found if part.name is None)
    about = {part.name: part.value for part in found if part.name is not None}
    return about, [(part.number, part.value) for part in found if part.name is None], notes.problems.texts()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "session.json"


@given(
    listed=st.lists(VALUES.filter(lambda value: value is not None), max_size=4),
    before=st.dictionaries(TEXTS.filter(bool), VALUES, max_size=2),
    after=st.dictionaries(TEXTS.filter(bool), VALUES, max_size=2),
    chunk=st.sampled_from([2, 3, 7, 64, 1 << 18]),
    indent=st.sampled_from([None, 2]),
    top=st.booleans(),
)
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_every_part_is_read_as_a_parser_reads_it(
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    listed: list[Any],
    before: dict[str, Any],
    after: dict[str, Any],
    chunk: int,
    indent: int | None,
    top: bool,
) -> None:
    monkeypatch.setattr(list_file, "_CHUNK", chunk)
    members = before | {"history": listed} | after
    path.write_text(json.dumps(listed if top else members, indent=indent))
    about, found, problems = read(path, TOP if top else "history")
    assert [value for _, value in found] == listed
    assert about == ({TOP: []} if top else {**members, "history": []})
    assert problems == []


DAMAGED = "the file is damaged, and read up to there"


@pytest.mark.parametrize(
    ("content", "kept", "problems"),
    [
        (
            r'{"history": [{"n": 0}, {"n": "\x"}, {"n": 2}], "t": 1}',
            [0, 2],
            ["entry 2 is no JSON, too large or too deep"],
        ),
        ('{"history": [{"n": 0}, {"n": ]}, {"n": 2}, {"n": 3}], "t": 1}', [0, 2, 3], ["entry 2", DAMAGED]),
        ('{"history": [\n{"n": 0},\n{"n": "a, "m": 1\n},\n{"n": 2}], "t": 1}', [0, 2], ["entry 2"]),
        ('{"history": [{"n": 0}, {"n": 1}', [0, 1], [DAMAGED]),
        ('{"history": [{"n": 0}, {"n": 1', [0], [DAMAGED]),
        ('{"history": [{"n": 0}]} {', [0], [DAMAGED]),
        ('{"x": tru, "history": [{"n": 0}]}', [0], ["what is said beside the list is broken"]),
        ('\ufeff{"history": [{"n": 0}]}', [0], []),
        ("", [], ["the file is no JSON"]),
        ("]", [], ["the file is no JSON"]),
        ('x{"history": [{"n": 0}]}', [], ["the file is no JSON"]),
        ('[{"n": 0}]', [], []),
        ('{"history": {"n": 0}}', [], []),
        ('{"history": [' + '{"n": ' * 20_000, [], [DAMAGED]),
        ('{"history": ["' + "\\" * 600_001, [], [DAMAGED]),
    ],
)
def test_damage_costs_as_little_as_can_be(path: Path, content: str, kept: list[int], problems: list[str]) -> None:
    path.write_text(content, encoding="utf-8")
    _, found, noted = read(path, "history")
    assert [value["n"] for _, value in found] == kept
    assert [number for number, _ in found] == kept
    assert len(noted) == len(problems)
    assert all(text.startswith(f"session.json: {problem}") for text, problem in zip(noted, problems, strict=True))
    assert [number for number, _ in entries(path, "history")] == kept


def test_bytes_that_are_no_unicode_cost_themselves_alone(path: Path) -> None:
    path.write_bytes(b'{"history": [{"n": "\xff\xfe ok"}]}')
    assert read(path, "history")[1] == [(0, {"n": "\ufffd\ufffd ok"})]


def test_an_entry_that_is_too_large_is_left_out(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_file, "LINE_BYTES", 100)
    path.write_text(json.dumps([{"n": 0}, {"n": "x" * 200}, {"n": 2}]))
    about, found, problems = read(path, TOP)
    assert (about, found) == ({TOP: []}, [(0, {"n": 0}), (2, {"n": 2})])
    assert problems == ["session.json: entry 2 is no JSON, too large or too deep"]


def test_a_file_that_can_t_be_read_is_noted_or_raised(path: Path) -> None:
    notes = Notes()
    assert surroundings(path, "history", notes) == {}
    assert notes.problems.texts() == ["session.json: the file can't be read"]
    with pytest.raises(ImportInvalid):
        next(entries(path, "history"))

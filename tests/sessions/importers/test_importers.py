"""Every importer, on files in the documented forms: what was said is what is read, and damage costs only itself."""

from __future__ import annotations

import ctypes
import json
import os
import random
import re
import shutil
import struct
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from kore_ls.model.message import Message
from kore_ls.sessions.foreign_reading import messages_of, threads_of
from kore_ls.sessions.importers.table import IMPORTERS
from kore_ls.sessions.importers.thread import Importer, Notes, Where
from tests.sessions.importers.tools import START, TALK, WITHOUT_CALLS, WITHOUT_THINKING, WRITERS, Said, at

NOW = START + 10**9
FORMS = sorted(WRITERS)
JSON_LINES = ("claude-code", "codex", "gemini-cli", "goose-lines")
LIST_FILES = ("cline", "cline-tasks", "continue", "gemini-file")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The workspace folder; the home that the tools write to is beside it."""
    folder = (tmp_path / "project").resolve()
    folder.mkdir()
    return folder


def importer_of(source: str) -> Importer:
    return next(each for each in IMPORTERS if each.name == source)


def where(folder: Path, **changes: Any) -> Where:
    return Where(folder=folder, home=folder.parent / "home", environ={}, now=NOW, **changes)


def written(form: str, folder: Path, talk: tuple[Said, ...] = TALK) -> Path:
    path = WRITERS[form][1](folder.parent / "home", folder, talk)
    for each in (path, *path.parent.glob("*")):
        os.utime(each, (START / 1000, START / 1000))
    return path


def read(form: str, place: Where, notes: Notes | None = None) -> list[list[Message]]:
    """The messages of all conversations that the importer finds."""
    notes, counter = notes or Notes(), iter(range(10**9))
    threads = threads_of(importer_of(WRITERS[form][0]), None, place, notes)
    return [list(messages_of(each, notes, lambda: f"new-{next(counter)}", NOW)) for each in threads]


def expected(form: str, talk: tuple[Said, ...] = TALK) -> Iterator[tuple[str, str, str | None, list[Any]]]:
    for said in talk:
        calls = [] if form in WITHOUT_CALLS else [(c.name, c.arguments, c.failed, c.result) for c in said.calls]
        thinking = said.thinking if said.thinking and form not in WITHOUT_THINKING else None
        yield said.role, said.text, thinking, calls


def shown(form: str, messages: list[Message]) -> list[tuple[str, str, str | None, list[Any]]]:
    found = []
    for message in messages:
        calls = [
            (call.name, call.arguments, call.status.value == "failed", _result(form, call.result))
            for call in message.tool_calls or ()
        ]
        found.append((message.role.value, message.content, message.thinking, calls))
    return found


def _result(form: str, result: Any) -> Any:
    return str(result).split("Output:\n", 1)[-1] if form == "codex" else result


@pytest.mark.parametrize("form", FORMS)
def test_all_that_was_said_is_read_in_its_order(form: str, folder: Path) -> None:
    written(form, folder)
    notes = Notes()
    (messages,) = read(form, where(folder), notes)
    assert shown(form, messages) == list(expected(form))
    assert [each.seq for each in messages] == list(range(1, len(TALK) + 1))
    assert notes.bad == 0
    assert notes.problems.texts() == []


@pytest.mark.parametrize("form", [each for each in FORMS if each not in ("aider", "continue", "cline-tasks")])
def test_times_are_those_of_the_source(form: str, folder: Path) -> None:
    written(form, folder)
    (messages,) = read(form, where(folder))
    wanted = [at(number) for number in range(len(TALK))]
    if form in ("llm", "llm-responses"):  # only answers have a time there
        wanted = [wanted[1], wanted[1], wanted[2], wanted[4], wanted[4], wanted[5]]
    assert [each.timestamp for each in messages] == wanted


@pytest.mark.parametrize("form", FORMS)
def test_ids_are_the_same_whenever_a_source_is_read_and_whatever_comes_after(form: str, folder: Path) -> None:
    written(form, folder, TALK[:4])
    (before,) = read(form, where(folder))
    written(form, folder)
    (after,) = read(form, where(folder))
    assert [each.id for each in before] == [each.id for each in after][: len(before)]
    assert len(before) >= 3
    assert len({each.id for each in after}) == len(TALK)


@pytest.mark.parametrize("form", [each for each in FORMS if importer_of(WRITERS[each][0]).knows_folders])
def test_conversations_of_other_folders_are_not_read(form: str, folder: Path) -> None:
    written(form, folder)
    other = folder.parent / "other"
    other.mkdir()
    assert read(form, where(other)) == []


@pytest.mark.parametrize("form", ["claude-code", "codex", "opencode", "crush"])
def test_a_last_step_that_is_still_being_written_waits_for_the_next_time(form: str, folder: Path) -> None:
    path = written(form, folder, TALK[:2])
    if form == "claude-code":
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    elif form == "codex":
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:-2]))
    else:
        return _check_database(form, folder)
    os.utime(path, (NOW / 1000, NOW / 1000))
    assert [len(each) for each in read(form, where(folder))] == [1]
    os.utime(path, (START / 1000, START / 1000))
    assert [len(each) for each in read(form, where(folder))] == [2]


def _check_database(form: str, folder: Path) -> None:
    import sqlite3
    from contextlib import closing

    path = written(form, folder, TALK[:2])
    with closing(sqlite3.connect(path)) as db:
        table, column = ("session", "time_updated") if form == "opencode" else ("sessions", "updated_at")
        if form == "opencode":
            db.execute("UPDATE message SET data = replace(data, 'completed', 'x') WHERE id = 'msg_01'")
        else:
            db.execute("DELETE FROM messages WHERE role = 'tool'")
        db.execute(f"UPDATE {table} SET {column} = ?", (NOW,))
        db.commit()
        assert [len(each) for each in read(form, where(folder))] == [1]
        db.execute(f"UPDATE {table} SET {column} = ?", (START,))
        db.commit()
    assert [len(each) for each in read(form, where(folder))] == [2]


@pytest.mark.parametrize("ended", [True, False])
def test_headings_and_quotes_of_an_answer_are_not_taken_for_aider_s_own(folder: Path, ended: bool) -> None:
    """Aider's own lines end with two spaces; where somebody took these away, nothing tells them apart."""
    asked = "How?\n\n#### in steps"
    answer = "Like this:\n\n#### Step one\n\n> as they say\n\n##### Deeper\n\nThat is all."
    path = written("aider", folder, (Said(role="user", text=asked), Said(role="assistant", text=answer), TALK[0]))
    if not ended:
        path.write_text("\n".join(line.rstrip() for line in path.read_text().splitlines()))
    (messages,) = read("aider", where(folder))
    if ended:
        assert [each.content for each in messages] == [asked, answer, TALK[0].text]
    else:
        assert [each.content for each in messages][:2] == [asked, "Like this:"]
        assert messages[-1].content == TALK[0].text


def test_a_folder_whose_name_is_too_long_for_claude_code_is_found(folder: Path) -> None:
    deep = folder / ("a" * 120) / ("b" * 120)
    deep.mkdir(parents=True)
    path = written("claude-code", folder)
    path.write_text(path.read_text().replace(str(folder), str(deep)))
    path.parent.rename(path.parent.with_name(re.sub(r"[^a-zA-Z0-9]", "-", str(deep))[:200] + "-1a2b3c"))
    threads = threads_of(importer_of("claude-code"), None, evolve(where(deep), home=folder.parent / "home"), Notes())
    assert [len(list(messages_of(each, Notes(), lambda: "x", NOW))) for each in threads] == [len(TALK)]


@pytest.mark.parametrize("form", [*JSON_LINES, *LIST_FILES, "aider", "opencode"])
def test_a_conversation_is_never_in_memory_as_a_whole(form: str, folder: Path) -> None:
    path = written(form, folder, tuple(evolve(said, text=said.text + " text" * 12_000) for said in TALK * 17))
    whole, count = path.stat().st_size, 0
    tracemalloc.start()
    try:
        for thread in threads_of(importer_of(WRITERS[form][0]), None, where(folder), Notes()):
            for _ in messages_of(thread, Notes(), lambda: "x", NOW):
                count += 1
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == len(TALK) * 17
    assert peak < whole / 2


# -- damage


def damaged(content: bytes, chance: random.Random) -> bytes:
    """The content after one of the things that happen to files."""
    place = chance.randrange(len(content))
    match chance.randrange(6):
        case 0:
            return content[:place]
        case 1:
            return content[:place] + bytes([chance.randrange(256)]) + content[place + 1 :]
        case 2:
            return content[:place] + chance.randbytes(chance.randrange(1, 200)) + content[place:]
        case 3:
            return content[:place] + content[place + chance.randrange(1, 200) :]
        case 4:
            return content[:place] + b"\0" * chance.randrange(1, 4096) + content[place:]
        case _:
            return content[:place] + b"[" * 5000 + b'{"a":' * 3000 + b"\n" + content[place:]


@pytest.mark.parametrize("form", FORMS)
def test_twenty_damaged_variants_neither_crash_nor_hang(form: str, folder: Path) -> None:
    path = written(form, folder)
    whole = path.read_bytes()
    for seed in range(20):
        path.write_bytes(damaged(whole, random.Random(f"{form} {seed}")))
        for messages in read(form, where(folder)):
            assert len({each.id for each in messages}) == len(messages)


@pytest.mark.parametrize("form", JSON_LINES)
def test_twenty_damaged_lines_cost_only_themselves_and_are_named(form: str, folder: Path) -> None:
    path = written(form, folder)
    whole = path.read_text().splitlines()
    for seed in range(20):
        chance = random.Random(f"{form} {seed}")
        number = chance.randrange(1, len(whole))
        lines = [*whole]
        lines[number] = lines[number][: chance.randrange(1, len(lines[number]) - 1)]
        path.write_text("\n".join(lines) + "\n")
        notes = Notes()
        (messages,) = read(form, where(folder), notes)
        assert notes.bad == 1
        assert notes.problems.texts() == [f"{path.name}: line {number + 1} is no JSON object"]
        told = "\n".join(f"{each.content}\n{each.thinking}\n{each.tool_calls}" for each in messages)
        rest = "\n".join(lines[:number] + lines[number + 1 :])
        for said in TALK:
            for text in (said.text, *(call.result for call in said.calls)):
                escaped = text.replace("\n", "\\n")
                assert text in told or escaped in told or escaped not in rest, (form, seed, text)


@pytest.mark.parametrize("form", LIST_FILES)
def test_of_a_file_that_is_cut_off_what_is_whole_is_read(form: str, folder: Path) -> None:
    path = written(form, folder)
    whole = path.read_bytes()
    ascii_only = form in ("cline", "gemini-file")
    begins = [whole.index(json.dumps(each.text, ensure_ascii=ascii_only)[1:-1].encode()) for each in TALK[1:]]
    for seed in range(20):
        chance = random.Random(f"{form} {seed}")
        place = chance.randrange(begins[0], len(whole) - 1)
        rest = b"" if seed % 2 else b"\0" * chance.randrange(1, 4096)
        path.write_bytes(whole[:place] + rest)
        notes = Notes()
        (messages,) = read(form, where(folder), notes)
        assert notes.problems.texts() == [f"{path.name}: the file is damaged, and read up to there"]
        told = [each.content for each in messages if each.content]  # thinking may be all that is left of a step
        assert told == [said.text for said in TALK][: len(told)]
        assert len(told) >= sum(place > begin for begin in begins)
        path.write_bytes(whole)
        (again,) = read(form, where(folder))
        assert [each.id for each in again][: len(messages)] == [each.id for each in messages]


@pytest.mark.parametrize("form", LIST_FILES)
def test_a_message_in_a_list_that_is_broken_costs_itself_alone(form: str, folder: Path) -> None:
    path = written(form, folder)
    (whole,) = read(form, where(folder))
    content = path.read_bytes()
    broken = TALK[3].text.encode()
    assert content.count(broken) == 1
    path.write_bytes(content.replace(broken, rb"\x" + broken))
    notes = Notes()
    (rest,) = read(form, where(folder), notes)
    assert notes.bad == 1
    assert [each.id for each in rest if each.content] == [each.id for each in whole if each.content != TALK[3].text]


@pytest.mark.parametrize("form", ["opencode", "goose", "crush", "llm"])
def test_a_conversation_in_another_part_of_a_damaged_database_is_read(form: str, folder: Path) -> None:
    """A page is destroyed that the first message is not on: what comes before it is there."""
    path = written(form, folder, TALK * 15)
    content = bytearray(path.read_bytes())
    content[-4096:] = b"\xff" * 4096
    path.write_bytes(content)
    notes = Notes()
    found = read(form, where(folder), notes)
    assert found
    assert found[0][0].content == TALK[0].text
    assert notes.problems.texts()


def test_a_place_where_nobody_can_look_is_named_and_is_no_end(folder: Path) -> None:
    path = written("opencode", folder)
    notes = Notes()
    environ = {"OPENCODE_DB": "x" * 5000, "CODEX_HOME": "y" * 5000}
    place = evolve(where(folder), environ=environ)
    assert len(read("opencode", place, notes)) == 1
    assert read("codex", place, notes) == []
    assert notes.bad == 3  # of codex, sessions and archived ones
    assert all(each.endswith("the directory can't be read") for each in notes.problems.texts())
    assert path.exists()


@contextmanager
def bound_by_permissions() -> Iterator[None]:
    """This thread may not look everywhere, even if it is root's: without CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH."""
    libc = ctypes.CDLL(None)
    header, had = struct.pack("=Ii", 0x20080522, 0), ctypes.create_string_buffer(24)
    assert libc.capget(header, had) == 0
    effective, *others = struct.unpack("=6I", had.raw)
    assert libc.capset(header, struct.pack("=6I", effective & ~0b110, *others)) == 0
    try:
        yield
    finally:
        assert libc.capset(header, had.raw) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="root may look everywhere")
@pytest.mark.parametrize("form", FORMS)
def test_files_and_directories_of_another_user_end_nothing(form: str, folder: Path) -> None:
    written(form, folder)
    (home := folder.parent / "home").mkdir(exist_ok=True)
    for each in sorted([home, *home.rglob("*"), *folder.rglob("*")]):
        before = each.stat().st_mode
        for mode in (0, 0o400, 0o600):
            each.chmod(mode)
            with bound_by_permissions():
                assert os.access(each, os.R_OK, effective_ids=True) is bool(mode)
                read(form, where(folder))
        each.chmod(before)
    assert len(read(form, where(folder))) == 1


# -- hostile


def test_links_are_not_followed_out_of_the_folder(folder: Path) -> None:
    path = written("aider", folder)
    path.rename(folder.parent / "elsewhere.md")
    path.symlink_to(folder.parent / "elsewhere.md")
    assert read("aider", where(folder)) == []
    written("crush", folder)
    (folder / ".crush").rename(folder.parent / "crush")
    (folder / ".crush").symlink_to(folder.parent / "crush")
    assert read("crush", where(folder)) == []


@pytest.mark.parametrize("form", LIST_FILES)
@pytest.mark.parametrize("depth", [150, 250, 990, 1010, 5000])
def test_a_message_that_is_nested_deep_ends_no_conversation(form: str, depth: int, folder: Path) -> None:
    path = written(form, folder)
    (whole,) = read(form, where(folder))
    document = json.loads(path.read_text())
    listed = document if isinstance(document, list) else document.get("messages") or document["history"]
    deep = {"role": "user", "type": "user", "content": "deep"}
    listed.insert(0, deep | {"message": deep})
    path.write_text(json.dumps(document).replace('"deep"', "[" * depth + "]" * depth))
    (found,) = read(form, where(folder))
    assert [each.content for each in found] == [each.content for each in whole]


def test_parent_links_in_a_circle_come_to_an_end(folder: Path) -> None:
    path = written("claude-code", folder)
    path.write_text(path.read_text().replace('"parentUuid": null', '"parentUuid": "a4.1"'))
    (messages,) = read("claude-code", where(folder))
    assert [each.content for each in messages][-1] == TALK[-1].text


@pytest.mark.parametrize("link", [5, True, ["u3"], {"uuid": "u3"}, "nobody"])
def test_a_parent_link_that_is_none_loses_nothing_that_stands_before(folder: Path, link: object) -> None:
    path = written("claude-code", folder)
    path.write_text(
        path.read_text().replace(
            '"uuid": "a4.0", "parentUuid": "u3"', f'"uuid": "a4.0", "parentUuid": {json.dumps(link)}'
        )
    )
    assert f'"parentUuid": {json.dumps(link)}' in path.read_text()
    (messages,) = read("claude-code", where(folder))
    assert [each.content for each in messages] == [said.text for said in TALK]


def test_the_database_and_its_log_are_left_as_they_are(folder: Path) -> None:
    """What was not moved into the file yet is read from the log, and no byte of either changes."""
    import sqlite3

    path = written("opencode", folder, TALK[:4])
    db = sqlite3.connect(path)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA wal_autocheckpoint = 0")
        db.execute("UPDATE part SET data = replace(data, 'Please look', 'Please read')")
        db.commit()
        before = {each.name: each.read_bytes() for each in path.parent.iterdir()}
        assert before["opencode.db-wal"]
        (messages,) = read("opencode", where(folder))
        assert "Please read" in messages[0].content
        assert {each.name: each.read_bytes() for each in path.parent.iterdir()} == before
    finally:
        db.close()


def test_a_named_path_is_read_whatever_folder_it_belongs_to(folder: Path) -> None:
    path = written("codex", folder)
    shutil.move(path, folder.parent / "rollout-copy.jsonl")
    other = where(folder.parent / "nowhere")
    threads = threads_of(importer_of("codex"), folder.parent / "rollout-copy.jsonl", other, Notes())
    assert [len(list(messages_of(each, Notes(), lambda: "x", NOW))) for each in threads] == [len(TALK)]

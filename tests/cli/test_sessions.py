from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from tests.cli.commands import HOSTILE, OBEYED, Kore, calls, made, process, transcripts
from tests.storage.searching import raw


def test_a_folder_without_sessions_says_so_and_stays_untouched(kore: Kore, folder: Path) -> None:
    done = kore("sessions", "list", "-C", folder)

    assert (done.code, done.out, done.err) == (0, "", "no sessions\n")
    assert list(folder.iterdir()) == []


def test_the_list_has_a_line_for_each_session(kore: Kore, folder: Path) -> None:
    one, two = made(folder, "登录接口", "你好"), made(folder, "Review", "a", "b")
    heading, *lines = kore("sessions", "list", "-C", folder).out.splitlines()

    assert heading.split() == ["id", "name", "mode", "state", "messages", "changed", "tags"]
    assert [line.split()[:2] for line in lines] == [[two["id"], "Review"], [one["id"], "登录接口"]]
    assert "idle, active" in lines[0]


def test_columns_line_up_whatever_the_script(kore: Kore, folder: Path) -> None:
    made(folder, "登录接口")
    made(folder, "Review")
    latin, chinese = kore("sessions", "list", "-C", folder).out.splitlines()[1:]

    assert latin.index("build") == chinese.index("build") + len("登录接口")  # each of them is two columns wide


def test_the_list_can_be_narrowed(kore: Kore, folder: Path) -> None:
    names = ("plain", "tagged", "planning", "closed", "archived", "deleted")
    ids = {name: made(folder, name)["id"] for name in names}
    calls(
        folder,
        ("kore/session/update", {"sessionId": ids["tagged"], "tags": ["a", "b"]}),
        ("kore/session/update", {"sessionId": ids["planning"], "mode": "plan"}),
        ("kore/session/close", {"sessionId": ids["closed"]}),
        ("kore/session/update", {"sessionId": ids["archived"], "archived": True}),
        ("kore/session/delete", {"sessionId": ids["deleted"]}),
    )

    def listed(*options: object) -> set[str]:
        done = kore("sessions", "list", "-C", folder, "--json", *options)
        return {session["name"] for session in done.json["sessions"]}

    assert listed() == {"plain", "tagged", "planning", "closed"}
    assert listed("--archived") == {"archived"}
    assert listed("--deleted") == {"deleted"}
    assert listed("--all") == set(names)
    assert listed("--tag", "a", "--tag", "b") == {"tagged"}
    assert listed("--mode", "plan") == {"planning"}
    assert listed("--status", "closed") == {"closed"}
    assert listed("--status", "closed", "--status", "idle", "--all") == set(names)
    assert len(listed("--limit", "2")) == 2


def test_a_list_that_is_cut_says_so(kore: Kore, folder: Path) -> None:
    for number in range(3):
        made(folder, f"number {number}")

    assert "more than 2" in kore("sessions", "list", "-C", folder, "--limit", "2").err
    assert kore("sessions", "list", "-C", folder, "--limit", "3").err == ""


def test_show_prints_a_transcript(kore: Kore, folder: Path) -> None:
    session = made(folder, "talk", "line one\n  line two", "第二条")
    out = kore("sessions", "show", session["id"], "-C", folder).out

    assert out.startswith(f"talk\n{session['id']} · build · idle, active · 2 messages\n")
    assert "\nline one\n  line two\n" in out
    assert "#2 user" in out and "\n第二条\n" in out


def test_show_prints_the_newest_messages_and_how_many_are_left_out(kore: Kore, folder: Path) -> None:
    session = made(folder, "talk", *map(str, range(1, 8)))
    shown = kore("sessions", "show", session["id"], "-C", folder, "--limit", "2")

    assert "5 earlier messages" in shown.err
    assert "#5 " not in shown.out and "#6 " in shown.out and "#7 " in shown.out
    every = kore("sessions", "show", session["id"][:13], "-C", folder, "--limit", "0", "--json").json
    assert [message["content"] for message in every["messages"]] == list("1234567")
    assert every["session"]["id"] == session["id"]


def test_show_reads_past_one_page(kore: Kore, folder: Path) -> None:
    messages = [{"role": "user", "content": str(number)} for number in range(1203)]
    calls(folder, ("kore/session/import", {"document": {"id": "long", "name": "long", "messages": messages}}))

    shown = kore("sessions", "show", "long", "-C", folder, "--limit", "1201", "--json").json["messages"]
    assert [message["content"] for message in shown] == [str(number) for number in range(2, 1203)]


def test_hostile_text_is_shown_and_not_obeyed(kore: Kore, folder: Path) -> None:
    session = made(folder, HOSTILE, HOSTILE)
    calls(folder, ("kore/session/update", {"sessionId": session["id"], "tags": [HOSTILE], "description": HOSTILE}))
    for arguments in (("list",), ("list", "--json"), ("show", session["id"]), ("show", session["id"], "--json")):
        done = kore("sessions", *arguments, "-C", folder)

        assert done.code == 0
        for sequence in OBEYED:
            assert sequence not in done.out + done.err
    assert "[bold]" in kore("sessions", "list", "-C", folder).out


def test_export_and_import_bring_a_session_elsewhere(kore: Kore, folder: Path, tmp_path: Path) -> None:
    session = made(folder, HOSTILE, "😀 内容\r\n\x1b[31m", '{"jsonrpc": "2.0"}')
    there = tmp_path / "there"
    there.mkdir()
    document = tmp_path / "session.json"

    assert kore("sessions", "export", session["id"], "-C", folder, "-o", document).code == 0
    assert document.stat().st_mode & 0o777 == 0o600
    done = kore("sessions", "import", document, "-C", there, "--json").json
    assert [each["id"] for each in done["sessions"]] == [session["id"]]
    assert transcripts(there) == transcripts(folder)


def test_export_prints_the_document_and_import_reads_it_from_a_pipe(folder: Path, tmp_path: Path) -> None:
    session = made(folder, "piped", HOSTILE, "中" * 50_000)
    there = tmp_path / "there"
    there.mkdir()
    printed = process("sessions", "export", session["id"][:20], "-C", folder)

    assert json.loads(printed.out)["messages"][0]["content"] == HOSTILE
    for sequence in OBEYED:
        assert sequence not in printed.out
    assert process("sessions", "import", "-", "-C", there, stdin=printed.out).code == 0
    assert transcripts(there) == transcripts(folder)


def test_export_overwrites_only_when_told_to(kore: Kore, folder: Path, tmp_path: Path) -> None:
    session, target = made(folder, "kept", "text"), tmp_path / "there.json"
    target.write_text("precious")
    refused = kore("sessions", "export", session["id"], "-C", folder, "-o", target)

    assert (refused.code, target.read_text()) == (1, "precious")
    assert "overwrite" in refused.err
    done = kore("sessions", "export", session["id"], "-C", folder, "-o", target, "--overwrite", "--json")
    assert done.json == {"path": str(target), "bytes": target.stat().st_size, "messages": 1}


def test_import_does_as_told_with_a_session_that_is_there(kore: Kore, folder: Path, tmp_path: Path) -> None:
    session, document = made(folder, "twice", "text"), tmp_path / "twice.json"
    kore("sessions", "export", session["id"], "-C", folder, "-o", document)
    refused = kore("sessions", "import", document, "-C", folder)

    assert refused.code == 1
    assert "--on-conflict" in refused.err
    skipped = kore("sessions", "import", document, "-C", folder, "--on-conflict", "skip", "--json").json
    assert (skipped["sessions"], skipped["skipped"]) == ([], [session["id"]])
    assert kore("sessions", "import", document, "-C", folder, "--on-conflict", "copy").code == 0
    assert len(kore("sessions", "list", "-C", folder, "--json").json["sessions"]) == 2


@pytest.mark.parametrize(
    "content", ["", "no json", '{"some": "object"}', '{"format": "kore-session", "version": 99}', "[1]"]
)
def test_import_refuses_what_is_no_document_and_stores_nothing(
    kore: Kore, folder: Path, tmp_path: Path, content: str
) -> None:
    document = tmp_path / "bad.json"
    document.write_text(content)
    done = kore("sessions", "import", document, "-C", folder)

    assert done.code == 1
    assert done.err.startswith("kore-ls: ")
    assert not (folder / ".kore").exists()


def test_import_refuses_input_that_is_no_json(kore: Kore, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"{")))
    done = kore("sessions", "import", "-", "-C", folder)

    assert (done.code, done.err) == (1, "kore-ls: standard input is not JSON\n")


def test_deleted_sessions_can_be_restored(kore: Kore, folder: Path) -> None:
    one, two = made(folder, "one", "text"), made(folder, "two")
    done = kore("sessions", "delete", one["id"], two["id"], "-C", folder, "--json")

    assert done.json == {"deleted": [one["id"], two["id"]]}
    assert "restore" in kore("sessions", "show", one["id"], "-C", folder).err
    assert kore("sessions", "restore", one["id"], "-C", folder, "--json").json == {"restored": [one["id"]]}
    assert transcripts(folder) == {"one": ["text"]}


def test_nothing_is_deleted_if_one_of_the_ids_is_wrong(kore: Kore, folder: Path) -> None:
    session = made(folder, "stays")

    assert kore("sessions", "delete", session["id"], "nothing", "-C", folder).code == 1
    assert transcripts(folder) == {"stays": []}


def test_for_good_needs_a_yes(kore: Kore, folder: Path) -> None:
    session = made(folder, "gone")
    refused = kore("sessions", "delete", "--permanent", session["id"], "-C", folder)

    assert refused.code == 1
    assert "--yes" in refused.err
    assert kore("sessions", "delete", "--permanent", "--yes", session["id"], "-C", folder).code == 0
    assert kore("sessions", "list", "--all", "-C", folder, "--json").json == {"sessions": []}


@pytest.mark.parametrize("command", ["show", "export", "delete", "restore"])
def test_an_unknown_id_is_one_line_and_a_hint(kore: Kore, folder: Path, command: str) -> None:
    made(folder, "another")
    done = kore("sessions", command, "no-such-id", "-C", folder)

    assert (done.code, done.out) == (1, "")
    assert len(done.err.splitlines()) == 2


def test_a_search_shows_where_the_words_stand(kore: Kore, folder: Path) -> None:
    one = made(folder, "登录接口", "我们需要用户认证", "nothing of the kind")
    made(folder, f"认证 {HOSTILE}", f"{HOSTILE} 认证")
    made(folder, "other", "unrelated")
    done = kore("sessions", "search", "认证", "-C", folder)

    assert (done.code, done.err) == (0, "")
    assert "登录接口" in done.out
    assert "#1 user 我们需要用户认证" in done.out
    assert "nothing of the kind" not in done.out
    assert "unrelated" not in done.out
    assert not [sign for sign in OBEYED if sign in done.out]
    inside = kore("sessions", "search", "认证", "-C", folder, "--session", one["id"], "--json").json
    assert [hit["session"]["id"] for hit in inside["hits"]] == [one["id"]]


def test_a_search_that_finds_nothing_says_so_and_makes_no_store(kore: Kore, folder: Path) -> None:
    done = kore("sessions", "search", "认证", "-C", folder)

    assert (done.code, done.out, done.err) == (0, "", "nothing found\n")
    assert list(folder.iterdir()) == []


def test_a_search_says_that_there_is_more(kore: Kore, folder: Path) -> None:
    for number in range(3):
        made(folder, f"s{number}", "needle")

    assert "there is more" in kore("sessions", "search", "needle", "-C", folder, "--limit", 2).err
    assert "there is more" not in kore("sessions", "search", "needle", "-C", folder, "--limit", 3).err


def test_sessions_that_can_t_be_read_are_named_where_they_are_left_out(kore: Kore, folder: Path) -> None:
    sound, spoiled = made(folder, "sound", "canary"), made(folder, "spoiled", "canary")
    raw(folder / ".kore" / "sessions.db", "UPDATE sessions SET tags = x'00' WHERE id = ?", spoiled["id"])
    for command in (
        ("sessions", "list"),
        ("sessions", "search", "canary"),
        ("history", "export", folder / "out"),
    ):
        done = kore(*command, "-C", folder)
        assert done.code == 0
        assert f"left out, as they can't be read: {spoiled['id']};" in done.err
    listed = json.loads(kore("sessions", "list", "-C", folder, "--json").out)
    assert ([each["id"] for each in listed["sessions"]], listed["damaged"]) == ([sound["id"]], [spoiled["id"]])

"""kore/session/export and kore/session/import: documents in messages and in files."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from kore_ls.model.secret import Secret
from tests.client import Client, Connect, Json
from tests.transcripts import go_form, real_transcript, write_seed_database


async def _export(client: Client, session_id: str) -> Json:
    document: Json = (await client.call("kore/session/export", {"sessionId": session_id}))["document"]
    document.pop("exported_at")
    return document


async def _talk(client: Client, name: str = "talk") -> str:
    session = await client.create(name=name, tags=["t"], metadata={"m": {"deep": [None]}})
    await client.add(session["id"], "你好\r\n🙂", metadata={"a": 1})
    await client.add(session["id"], "hello", "assistant")
    return str(session["id"])


async def test_export_inline_is_the_whole_document(client: Client, secret: Secret) -> None:
    id_ = await _talk(client)
    session = await client.get(id_)
    answer = await client.call("kore/session/export", {"sessionId": id_})
    assert set(answer) == ({"document", "plain"} if secret else {"document"})
    document = answer["document"]
    messages = document.pop("messages")
    assert document.pop("exported_at") >= session["updatedAt"]
    assert document == {
        "format": "kore-session",
        "version": 1,
        "id": id_,
        "name": "talk",
        "agent_mode": "build",
        "status": "idle",
        "created_at": session["createdAt"],
        "updated_at": session["updatedAt"],
        "metadata": {"m": {"deep": [None]}},
        "tags": ["t"],
    }
    assert [(m["role"], m["content"], m["metadata"]) for m in messages] == [
        ("user", "你好\r\n🙂", {"a": 1}),
        ("assistant", "hello", {}),
    ]


async def test_export_to_a_file_writes_the_same_document_privately(
    client: Client, folder: Path, secret: Secret
) -> None:
    id_ = await _talk(client)
    answer = await client.call("kore/session/export", {"sessionId": id_, "path": "out.json"})
    path = folder / "out.json"
    said = {"plain": True} if secret else {}
    assert answer == {"path": str(path), "bytes": path.stat().st_size, "messages": 2} | said
    assert path.stat().st_mode & 0o777 == 0o600
    document = json.loads(path.read_bytes())
    document.pop("exported_at")
    assert document == await _export(client, id_)
    assert sorted(each.name for each in folder.iterdir()) == [".kore", "out.json"]


async def test_a_path_may_be_absolute_or_a_uri_or_from_home(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    id_ = await _talk(client)
    target = tmp_path / "导出 1.json"
    for path in (str(target), target.as_uri(), "~/导出 1.json"):
        answer = await client.call("kore/session/export", {"sessionId": id_, "path": path})
        assert answer["path"] == str(target)
        target.unlink()


async def test_a_file_that_is_there_is_only_replaced_when_told_so(client: Client, folder: Path) -> None:
    id_ = await _talk(client)
    path = folder / "out.json"
    path.write_text("mine")
    error = await client.refused("kore/session/export", {"sessionId": id_, "path": "out.json"})
    assert error.problems == ["params.path: exists; pass overwrite to replace it"]
    assert path.read_text() == "mine"
    await client.call("kore/session/export", {"sessionId": id_, "path": "out.json", "overwrite": True})
    assert json.loads(path.read_bytes())["id"] == id_


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("dangling", [False, True])
async def test_nothing_is_written_through_a_link(
    client: Client, folder: Path, tmp_path: Path, overwrite: bool, dangling: bool
) -> None:
    id_ = await _talk(client)
    victim = tmp_path / "victim"
    if not dangling:
        victim.write_text("precious")
    (folder / "out.json").symlink_to(victim)
    params = {"sessionId": id_, "path": "out.json", "overwrite": overwrite}
    assert (await client.refused("kore/session/export", params)).problems == ["params.path: is a link"]
    assert victim.exists() is not dangling
    assert dangling or victim.read_text() == "precious"


BAD_PATHS = [
    "",
    "   ",
    "\0",
    "a\0b",
    "missing/out.json",
    ".",
    "..",
    "/",
    "/dev/null",
    "x" * 300,
    "/".join(["x" * 200] * 30),
    "~no-such-user-of-this-machine/x",
    "file:",
    "file:relative",
    "file://[",
    "http://example.com/x",
    ".kore/sessions.db",
    ".kore/../.kore/store-id",
    ".kore/new.json",
    "linked/sessions.db",
]


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("method", ["kore/session/export", "kore/store/backup"])
async def test_a_path_that_must_not_be_written_is_refused_and_changes_nothing(
    client: Client, folder: Path, method: str, overwrite: bool
) -> None:
    id_ = await _talk(client)
    (folder / "linked").symlink_to(folder / ".kore")
    before = {each: each.stat().st_ino for each in folder.rglob("*")}
    where = {"sessionId": id_} if method == "kore/session/export" else {}
    for path in BAD_PATHS:
        error = await client.refused(method, where | {"path": path, "overwrite": overwrite})
        assert (error.kind, error.problems[0][:13]) == ("invalidParams", "params.path: "), path
        assert {each: each.stat().st_ino for each in folder.rglob("*")} == before, path
    assert len(await client.contents(id_)) == 2


async def test_a_deleted_session_can_be_exported(client: Client) -> None:
    id_ = await _talk(client)
    before = await _export(client, id_)
    await client.call("kore/session/delete", {"sessionId": id_})
    assert await _export(client, id_) == before


async def test_a_document_too_large_for_a_message_asks_for_a_path(client: Client, folder: Path) -> None:
    session = await client.create()
    for _ in range(3):
        await client.add(session["id"], "x" * (11 << 20))
    error = await client.refused("kore/session/export", {"sessionId": session["id"]})
    assert error.problems == ["params.path: is required, the document is too large for one message"]
    answer = await client.call("kore/session/export", {"sessionId": session["id"], "path": "big.json"})
    assert answer["bytes"] == (folder / "big.json").stat().st_size > 32 << 20


async def test_other_formats_are_refused(client: Client) -> None:
    id_ = await _talk(client)
    assert (await client.call("kore/session/export", {"sessionId": id_, "format": "json"}))["document"]
    error = await client.refused("kore/session/export", {"sessionId": id_, "format": "xml"})
    assert error.problems == ["params.format: must be one of json, markdown, html"]


async def test_the_real_transcript_survives_import_and_export(client: Client, connect: Connect, tmp_path: Path) -> None:
    document = real_transcript()
    answer = await client.call("kore/session/import", {"document": document})
    (session,) = answer["sessions"]
    assert (answer["skipped"], answer["problems"]) == ([], [])
    assert (session["imported"], session["messageCount"], session["active"]) == (True, len(document["messages"]), False)
    expected = {key: value for key, value in document.items() if key != "exported_at"}
    exported = await _export(client, document["id"])
    assert exported == expected
    (tmp_path / "fresh").mkdir()
    fresh = await connect(tmp_path / "fresh")
    await fresh.call("kore/session/import", {"document": exported | {"exported_at": 1}})
    assert await _export(fresh, document["id"]) == expected


async def test_an_import_is_told_as_created_sessions(client: Client) -> None:
    await client.call("kore/session/import", {"document": real_transcript(60, large=False)})
    (event,) = client.events()
    assert (event["type"], event["data"]["session"]["imported"]) == ("session.created", True)


async def test_a_running_session_is_imported_idle(client: Client) -> None:
    document = real_transcript(60, large=False) | {"status": "running"}
    (session,) = (await client.call("kore/session/import", {"document": document}))["sessions"]
    assert session["status"] == "idle"


async def test_a_session_that_is_there_is_an_error_by_default(client: Client) -> None:
    id_ = await _talk(client)
    document = await _export(client, id_)
    await client.add(id_, "newer")
    before = await _export(client, id_)
    error = await client.refused("kore/session/import", {"document": document})
    assert (error.kind, error.params) == ("sessionExists", {"sessionId": id_})
    assert "deleted" not in error.data
    assert await _export(client, id_) == before


async def test_a_deleted_session_that_is_there_is_told_as_such(client: Client) -> None:
    id_ = await _talk(client)
    document = await _export(client, id_)
    await client.call("kore/session/delete", {"sessionId": id_})
    error = await client.refused("kore/session/import", {"document": document})
    assert (error.kind, error.params) == ("sessionExists", {"sessionId": id_, "deleted": True})
    assert error.data["deleted"] is True


@pytest.mark.parametrize("deleted", [False, True])
async def test_a_conflict_can_be_copied_skipped_or_replaced(client: Client, deleted: bool) -> None:
    id_ = await _talk(client)
    document = await _export(client, id_)
    await client.add(id_, "newer")
    if deleted:
        await client.call("kore/session/delete", {"sessionId": id_})

    async def import_(on_conflict: str) -> Json:
        answer: Json = await client.call("kore/session/import", {"document": document, "onConflict": on_conflict})
        return answer

    newer = await _export(client, id_)
    skipped = await import_("skip")
    assert (skipped["sessions"], skipped["skipped"]) == ([], [id_])
    (copy,) = (await import_("copy"))["sessions"]
    assert copy["id"] != id_
    assert await client.contents(copy["id"]) == ["你好\r\n🙂", "hello"]
    assert await _export(client, id_) == newer
    (replaced,) = (await import_("replace"))["sessions"]
    assert (replaced["id"], replaced["messageCount"]) == (id_, 2)
    assert await _export(client, id_) == document
    assert {s["id"] for s in (await client.call("kore/session/list"))["sessions"]} == {id_, copy["id"]}


async def test_several_sessions_come_all_or_none(client: Client) -> None:
    documents = [real_transcript(60, session_id=f"s{n}", large=False) for n in range(3)]
    bad = [*documents[:2], documents[2] | {"agent_mode": "no such"}]
    error = await client.refused("kore/session/import", {"document": bad})
    assert (error.kind, error.params["place"]) == ("importInvalid", "[2].agent_mode")
    assert await client.names() == []
    answer = await client.call("kore/session/import", {"document": documents[:2]})
    assert [session["id"] for session in answer["sessions"]] == ["s0", "s1"]
    error = await client.refused("kore/session/import", {"document": [documents[2], documents[0]]})
    assert (error.kind, error.params["sessionId"]) == ("sessionExists", "s0")
    assert (await client.refused("kore/session/get", {"sessionId": "s2"})).kind == "sessionNotFound"
    answer = await client.call("kore/session/import", {"document": [documents[0], documents[2]], "onConflict": "skip"})
    assert ([s["id"] for s in answer["sessions"]], answer["skipped"]) == (["s2"], ["s0"])


async def test_the_forms_of_the_go_platform_are_taken_from_messages_and_files(
    client: Client, folder: Path, tmp_path: Path
) -> None:
    document = real_transcript(60, large=False)
    (session,) = (await client.call("kore/session/import", {"document": go_form(document)}))["sessions"]
    assert (session["messageCount"], session["createdAt"]) == (60, document["created_at"] // 1000 * 1000)
    write_seed_database(folder / "seed.db", [document | {"id": "from-db"}])
    before = (folder / "seed.db").read_bytes()
    answer = await client.call("kore/session/import", {"path": "seed.db"})
    assert [(s["id"], s["messageCount"]) for s in answer["sessions"]] == [("from-db", 60)]
    assert (folder / "seed.db").read_bytes() == before
    assert await client.contents("from-db", limit=1000) == [m["content"] for m in document["messages"]]
    assert sorted(each.name for each in folder.iterdir()) == [".kore", "seed.db"]


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        "text",
        7,
        True,
        {"format": "other"},
        {"format": "kore-session", "version": 2},
        {"format": "kore-session", "version": 1, "id": "../../x", "messages": []},
        {"format": "kore-session", "version": 1, "name": "x" * 201, "messages": []},
        {"format": "kore-session", "version": 1, "messages": [{"role": "nobody", "content": ""}]},
        {"format": "kore-session", "version": 1, "messages": [{"role": "user", "content": 5}]},
        {"format": "kore-session", "version": 1, "messages": {}},
    ],
)
async def test_a_bad_document_is_refused_and_makes_no_store(client: Client, folder: Path, document: object) -> None:
    error = await client.refused("kore/session/import", {"document": document})
    assert error.kind == "importInvalid"
    assert error.params["place"]
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("params", [{}, {"document": None}, {"document": {}, "path": "x"}])
async def test_an_import_wants_a_document_or_a_path(client: Client, params: Json) -> None:
    error = await client.refused("kore/session/import", params)
    assert error.problems == ["params.document: give either document or path"]


@pytest.mark.parametrize(
    "path", ["missing.json", ".", "", "\0", "x" * 300, "~no-such-user/x", "file:relative", "http://x/y", "/dev/zero"]
)
async def test_a_file_that_cannot_be_imported_is_refused(client: Client, folder: Path, path: str) -> None:
    error = await client.refused("kore/session/import", {"path": path})
    assert error.kind in ("invalidParams", "importInvalid")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b"PK\x03\x04", b"SQLite format 3\0" + b"x" * 200, b"[" * 99_999]
)
async def test_a_file_that_is_no_document_is_refused(client: Client, folder: Path, body: bytes) -> None:
    (folder / "x.json").write_bytes(body)
    assert (await client.refused("kore/session/import", {"path": "x.json"})).kind == "importInvalid"
    assert [each.name for each in folder.iterdir()] == ["x.json"]


async def test_lone_surrogates_in_an_import_become_replacement_characters(client: Client) -> None:
    document = real_transcript(60, large=False)
    document["messages"][0]["content"] = "a\ud800b"
    document["name"] = "n\udfff"
    await client.call("kore/session/import", {"document": document})
    assert (await client.contents(document["id"], afterSeq=0, limit=1)) == ["a\ufffdb"]
    assert (await client.get(document["id"]))["name"] == "n\ufffd"


@pytest.mark.parametrize("token", ["token", 7])
async def test_an_import_with_a_token_reports_progress(client: Client, token: str | int) -> None:
    document = real_transcript(60, large=False)
    await client.call("kore/session/import", {"document": document, "workDoneToken": token})
    progress = [message["params"] for message in client.heard if message["method"] == "$/progress"]
    assert {each["token"] for each in progress} == {token}
    kinds = [each["value"]["kind"] for each in progress]
    assert (kinds[0], kinds[-1], set(kinds[1:-1])) == ("begin", "end", {"report"})


async def test_progress_ends_where_the_import_fails(client: Client) -> None:
    await client.refused("kore/session/import", {"document": {}, "workDoneToken": "t"})
    assert client.heard[-1]["params"]["value"] == {"kind": "end"}


@pytest.mark.parametrize("token", [True, 1.5, [], {}])
async def test_an_odd_token_is_refused(client: Client, token: object) -> None:
    error = await client.refused("kore/session/import", {"document": {}, "workDoneToken": token})
    assert error.problems == ["params.workDoneToken: must be a string or an integer"]


async def test_a_cancelled_import_leaves_nothing(client: Client) -> None:
    document = real_transcript(3_000, large=False)
    task = asyncio.create_task(client.call("kore/session/import", {"document": document, "workDoneToken": 1}))
    await client.wait(lambda _, params: params["value"].get("message", "").startswith("storing"))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await client.names() == []
    assert (await client.call("kore/store/check"))["ok"] is True
    (session,) = (await client.call("kore/session/import", {"document": document}))["sessions"]
    assert session["messageCount"] == 3_000


async def test_a_replaced_session_is_shown_as_it_is_now_to_its_active_client(client: Client) -> None:
    id_ = await _talk(client)
    document = await _export(client, id_) | {"name": "replaced", "status": "closed"}
    await client.call("kore/session/import", {"document": document, "onConflict": "replace"})
    session = await client.get(id_)
    assert (session["name"], session["status"], session["imported"]) == ("replaced", "closed", True)


async def test_a_database_of_which_nothing_can_be_used_is_refused(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "seed.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE sessions (id TEXT, name TEXT, agent_mode TEXT, status TEXT, created_at, updated_at)")
        db.execute("CREATE TABLE messages (id INTEGER, session_id TEXT, role TEXT, content TEXT, timestamp)")
        db.execute("INSERT INTO sessions VALUES ('s', 'n', 'build', 'idle', 'yesterday', 'today')")
        db.commit()
    refused = await client.refused("kore/session/import", {"path": str(path)})
    assert refused.kind == "importInvalid"
    assert "yesterday" not in refused.message
    assert await client.names() == []


@pytest.mark.parametrize(("form", "start"), [("markdown", "---\ntitle: "), ("html", "<!doctype html>")])
async def test_a_session_can_be_read_elsewhere(client: Client, folder: Path, form: str, start: str) -> None:
    id_ = await _talk(client)
    answer = await client.call("kore/session/export", {"sessionId": id_, "format": form})
    assert answer["text"].startswith(start)
    assert "你好" in answer["text"]
    written = await client.call("kore/session/export", {"sessionId": id_, "format": form, "path": "page"})
    assert written["bytes"] == len((folder / "page").read_bytes())


@pytest.mark.parametrize("form", ["json", "markdown", "html"])
async def test_secrets_are_taken_out_of_the_copy_and_stay_in_the_store(client: Client, form: str) -> None:
    key = "ghp_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hI6"
    session = await client.create(name=f"about {key}")
    await client.add(session["id"], f"my key is {key}")
    answer = await client.call("kore/session/export", {"sessionId": session["id"], "format": form, "redact": True})
    assert key not in json.dumps(answer)
    assert "[redacted: GitHub token]" in json.dumps(answer)
    (redacted,) = answer["redacted"]
    assert (redacted["rule"], redacted["count"]) == ("GitHub token", 2)
    assert await client.contents(session["id"]) == [f"my key is {key}"]


@pytest.mark.parametrize("form", ["json", "markdown", "html"])
async def test_a_folder_is_written_to_a_directory_with_an_index(client: Client, folder: Path, form: str) -> None:
    ids = [await _talk(client, name) for name in ("one", "两个", "../../three")]
    await client.call("kore/session/update", {"sessionId": ids[1], "archived": True})
    done = await client.call("kore/history/export", {"directory": "out", "format": form})
    files = sorted((folder / "out").iterdir())
    assert (done["sessions"], len(files)) == (3, 4)
    assert all(each.stat().st_mode & 0o777 == 0o600 for each in files)
    index = Path(done["index"]).read_text(encoding="utf-8")
    assert all(each.name in index for each in files if each.stem != "index")
    error = await client.refused("kore/history/export", {"directory": "out", "format": form})
    assert error.problems == ["params.directory: is not empty; pass overwrite to write into it"]
    chosen = {"directory": "out", "format": form, "sessions": ids[:1], "overwrite": True}
    assert (await client.call("kore/history/export", chosen))["sessions"] == 1


async def test_names_and_tags_do_nothing_in_an_index(client: Client, folder: Path) -> None:
    hostile = "![x](https://evil.example/x.png) <img src=https://evil.example/x.png>"
    await client.create(name=hostile, tags=[hostile])
    await client.call("kore/history/export", {"directory": "out", "format": "markdown"})
    index = (folder / "out" / "index.md").read_text()
    tokens = [inner for each in MarkdownIt("commonmark").parse(index) for inner in each.children or ()]
    assert {each.type for each in tokens} <= {"text", "link_open", "link_close"}
    (file,) = (each.name for each in (folder / "out").iterdir() if each.name != "index.md")
    assert [each.attrs["href"] for each in tokens if each.type == "link_open"] == [file]


@pytest.mark.parametrize("directory", [".kore/out", "file", "link", "missing/out"])
async def test_no_other_place_is_written_to(client: Client, folder: Path, tmp_path: Path, directory: str) -> None:
    await _talk(client)
    (folder / "file").write_text("mine")
    (folder / "link").symlink_to(tmp_path)
    error = await client.refused("kore/history/export", {"directory": directory})
    assert error.problems[0].startswith("params.directory: ")


async def test_a_copy_of_an_encrypted_store_is_imported_with_its_key(connect: Connect, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("own", "other", "without")]
    for each in folders:
        each.mkdir()
    client = await connect(folders[0], secret=Secret(passphrase="one"))
    id_ = await _talk(client)
    copy = str(tmp_path / "copy.db")
    await client.call("kore/store/backup", {"path": copy})

    for folder, key in zip(folders[1:], ("one", "other"), strict=True):
        client = await connect(folder, secret=Secret(passphrase=key))
        if key == "one":
            await client.call("kore/session/import", {"path": copy})
            assert await client.contents(id_) == ["你好\r\n🙂", "hello"]
        else:
            assert (await client.refused("kore/session/import", {"path": copy})).kind == "storeLocked"
            assert not (folder / ".kore").exists()

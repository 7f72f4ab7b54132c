from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kore_ls.errors import ImportInvalid
from kore_ls.model.bundle import SessionBundle
from kore_ls.model.limits import IMPORT_MESSAGES, METADATA_BYTES, name_problem
from kore_ls.model.message import Role, ToolStatus
from kore_ls.model.mode import AgentMode
from kore_ls.model.session import SessionStatus
from kore_ls.sessions.documents.export_document import document_of
from kore_ls.sessions.documents.import_document import FALLBACK_NAME, parse, parse_rows
from tests.transcripts import START, go_form, real_transcript

NOW = 1_800_000_000_000
Document = dict[str, Any]


def ids() -> Callable[[], str]:
    numbers = itertools.count(1)
    return lambda: f"new-{next(numbers)}"


def parsed(document: Any) -> list[SessionBundle]:
    return parse(document, now=NOW, new_id=ids())


def one(document: Any) -> SessionBundle:
    (bundle,) = parsed(document)
    return bundle


def exported(bundle: SessionBundle) -> Document:
    return document_of(bundle.record, bundle.messages, exported_at=1)


def refusal(document: Any) -> ImportInvalid:
    with pytest.raises(ImportInvalid) as caught:
        parsed(document)
    assert caught.value.message.startswith(f"{caught.value.params['place']}: ")
    return caught.value


def own(*messages: Any, **changes: Any) -> Document:
    document = {"format": "kore-session", "version": 1, "id": "s1", "name": "n", "agent_mode": "plan", "status": "idle"}
    return document | {"created_at": 1, "updated_at": 2, "messages": list(messages)} | changes


def said(content: str = "hi", **changes: Any) -> Document:
    return {"id": "m1", "role": "user", "content": content, "timestamp": 5} | changes


def nested(levels: int) -> Any:
    value: Any = []
    for _ in range(levels - 1):
        value = [value]
    return value


# --- the round trip


def test_a_real_transcript_comes_back_equal_in_everything() -> None:
    document = real_transcript()
    bundle = one(json.loads(json.dumps(document)))
    assert bundle.record.imported
    assert bundle.record.message_count == bundle.record.last_seq == len(document["messages"])
    assert [message.seq for message in bundle.messages] == list(range(1, len(document["messages"]) + 1))
    assert exported(bundle) | {"exported_at": document["exported_at"]} == document


TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
IDS = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
TIMES = st.integers(0, 2**53 - 1)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(TEXT | st.just("imported"), JSON, max_size=4)
NAMES = TEXT.filter(lambda name: name_problem(name) is None)


def objects(required: dict[str, Any], optional: dict[str, Any]) -> st.SearchStrategy[Document]:
    return st.fixed_dictionaries(required, optional=optional)


TOOL_CALLS = objects(
    {
        "id": IDS,
        "name": TEXT.filter(bool),
        "kind": st.sampled_from(["read", "edit", "execute", "other"]),
        "title": TEXT,
        "arguments": OBJECTS,
        "status": st.sampled_from(["completed", "failed", "denied", "cancelled"]),
    },
    {"result": JSON.filter(lambda value: value is not None), "started_at": TIMES, "ended_at": TIMES},
)
MESSAGES = objects(
    {
        "id": IDS,
        "session_id": st.just("s"),
        "role": st.sampled_from(["user", "assistant", "system", "tool"]),
        "content": TEXT,
        "timestamp": TIMES,
        "metadata": OBJECTS,
    },
    {
        "turn_id": IDS,
        "state": st.sampled_from(["interrupted", "cancelled"]),
        "thinking": TEXT,
        "tool_calls": st.lists(TOOL_CALLS, min_size=1, max_size=3, unique_by=lambda call: str(call["id"])),
    },
)
DOCUMENTS = objects(
    {
        "format": st.just("kore-session"),
        "version": st.just(1),
        "exported_at": st.just(1),
        "id": st.just("s"),
        "name": NAMES,
        "agent_mode": st.sampled_from(["build", "plan", "general"]),
        "status": st.sampled_from(["idle", "paused", "closed"]),
        "created_at": TIMES,
        "updated_at": TIMES,
        "metadata": OBJECTS,
        "tags": st.lists(NAMES, max_size=3),
        "messages": st.lists(MESSAGES, max_size=5, unique_by=lambda message: str(message["id"])),
    },
    {
        "description": TEXT.filter(bool),
        "pinned": st.just(True),
        "archived": st.just(True),
        "parent_id": IDS,
        "forked_at_seq": TIMES,
        "usage": objects(
            {"input_tokens": TIMES, "output_tokens": TIMES},
            {"cost": st.floats(0, 1e9)},
        ),
        "unknown key": JSON,
        "imported": JSON,
        "agent": JSON,
    },
)


@given(DOCUMENTS)
@settings(max_examples=50, deadline=None)
def test_export_import_export_gives_the_same_document(document: Document) -> None:
    first = exported(one(document))
    assert exported(one(json.loads(json.dumps(first)))) == first


@given(DOCUMENTS)
@settings(max_examples=60, deadline=None)
def test_an_import_loses_nothing_of_an_export(document: Document) -> None:
    document["metadata"].pop("imported", None)
    assert exported(one(document)) == document


def test_what_was_running_is_idle_and_what_was_unfinished_is_cancelled() -> None:
    call = {"id": "c", "name": "run", "kind": "execute", "title": "t", "arguments": {}}
    calls = [call | {"id": str(n), "status": word} for n, word in enumerate(("pending", "inProgress", "failed"))]
    bundle = one(own(said(role="assistant", tool_calls=calls), status="running"))
    assert bundle.record.status is SessionStatus.IDLE
    found = [each.status for each in bundle.messages[0].tool_calls or ()]
    assert found == [ToolStatus.CANCELLED, ToolStatus.CANCELLED, ToolStatus.FAILED]


@pytest.mark.parametrize("status", ["idle", "paused", "closed"])
def test_other_statuses_are_kept(status: str) -> None:
    assert one(own(status=status)).record.status.value == status


# --- own form


def test_unknown_top_level_keys_are_kept_in_the_metadata() -> None:
    record = one(own(metadata={"a": 1, "imported": {"old": 1}}, agent={"backend": "x"}, new=2)).record
    assert record.metadata == {"a": 1, "imported": {"old": 1, "agent": {"backend": "x"}, "new": 2}}
    assert record.agent is None and record.config is None


def test_times_of_our_own_form_are_never_taken_for_seconds() -> None:
    bundle = one(own(said(timestamp=7), created_at=5, updated_at=6))
    assert (bundle.record.created_at, bundle.record.updated_at, bundle.messages[0].timestamp) == (5, 6, 7)


def test_absent_times_are_taken_from_what_is_known() -> None:
    document = own(said(timestamp=None), said(id="m2", timestamp=40), said(id="m3", timestamp=None))
    del document["created_at"], document["updated_at"]
    bundle = one(document)
    assert [message.timestamp for message in bundle.messages] == [40, 40, 40]
    assert (bundle.record.created_at, bundle.record.updated_at) == (40, 40)


def test_a_document_without_any_time_is_as_old_as_its_import() -> None:
    bundle = one({"messages": [{"role": "user", "content": "hi"}]})
    assert {bundle.record.created_at, bundle.record.updated_at, bundle.messages[0].timestamp} == {NOW}


def test_messages_are_in_document_order_unless_each_has_a_seq_of_its_own() -> None:
    both = [said("b", id="b", seq=9), said("a", id="a", seq=4)]
    assert [(m.content, m.seq) for m in one(own(*both)).messages] == [("a", 1), ("b", 2)]
    tied = [message | {"seq": 1} for message in both]
    assert [(m.content, m.seq) for m in one(own(*tied)).messages] == [("b", 1), ("a", 2)]


def test_a_fault_is_named_by_its_place_in_the_document_even_if_messages_are_reordered() -> None:
    assert refusal(own(said(seq=2, role="x"), said(id="m2", seq=1))).params["place"] == "messages[0].role"


def test_a_blank_name_is_replaced_by_the_first_prompt() -> None:
    assert one(own(said("  帮我\n看一下  "), name=" \n")).record.name == "帮我 看一下"
    assert one(own(said("x" * 500), name=None)).record.name == "x" * 60
    assert one(own(said("  ", role="user"), name="")).record.name == FALLBACK_NAME


def test_what_text_can_not_hold_is_replaced() -> None:
    bundle = one(own(said("a\ud800b\0", metadata={"\udfff": ["\ud800"]}), name="n\0\ud800", tags=["t\0"]))
    assert bundle.record.name == "n\ufffd\ufffd"
    assert bundle.record.tags == ("t\ufffd",)
    assert bundle.messages[0].content == "a\ufffdb\0"
    assert bundle.messages[0].metadata == {"\ufffd": ["\ufffd"]}


def test_a_tool_call_needs_no_more_than_a_name() -> None:
    (call,) = one(own(said(tool_calls=[{"name": "grep"}]))).messages[0].tool_calls or ()
    assert (call.id, call.title, call.kind.value, call.status) == ("new-1", "grep", "other", ToolStatus.COMPLETED)
    assert call.message_id == "m1"


LONG = "x" * 201
BAD_SESSIONS: dict[str, Document] = {
    "format": {"format": "other"},
    "version": {"version": 2},
    "id": {"id": "../../etc/passwd"},
    "name": {"name": LONG},
    "agent_mode": {"agent_mode": "root"},
    "status": {"status": "dead"},
    "created_at": {"created_at": -1},
    "updated_at": {"updated_at": True},
    "metadata": {"metadata": {"k": "x" * METADATA_BYTES}},
    "metadata.imported": {"unknown": "x" * METADATA_BYTES},
    "tags[1]": {"tags": ["a", " "]},
    "tags[0]": {"tags": [5]},
    "tags": {"tags": [str(n) for n in range(65)]},
    "description": {"description": "x" * 4001},
    "pinned": {"pinned": 1},
    "archived": {"archived": "yes"},
    "parent_id": {"parent_id": "a b"},
    "forked_at_seq": {"forked_at_seq": 1.5},
    "usage": {"usage": []},
    "usage.input_tokens": {"usage": {"input_tokens": -1}},
    "usage.cost": {"usage": {"cost": "free"}},
    "messages": {"messages": {}},
    "messages[0]": {"messages": ["text"]},
}
BAD_MESSAGES: dict[str, Document] = {
    "id": {"id": "a/b"},
    "role": {"role": "developer"},
    "content": {"content": ["text"]},
    "timestamp": {"timestamp": 2**53},
    "metadata": {"metadata": []},
    "turn_id": {"turn_id": ""},
    "state": {"state": "running"},
    "thinking": {"thinking": 1},
    "tool_calls": {"tool_calls": {}},
    "tool_calls[0]": {"tool_calls": [None]},
    "tool_calls[0].name": {"tool_calls": [{"id": "c"}]},
    "tool_calls[0].id": {"tool_calls": [{"name": "n", "id": "$"}]},
    "tool_calls[1].id": {"tool_calls": [{"name": "n", "id": "c"}, {"name": "n", "id": "c"}]},
    "tool_calls[0].kind": {"tool_calls": [{"name": "n", "kind": "sudo"}]},
    "tool_calls[0].status": {"tool_calls": [{"name": "n", "status": "in_progress"}]},
    "tool_calls[0].arguments": {"tool_calls": [{"name": "n", "arguments": "{}"}]},
    "tool_calls[0].result": {"tool_calls": [{"name": "n", "result": float("nan")}]},
    "tool_calls[0].started_at": {"tool_calls": [{"name": "n", "started_at": "now"}]},
}


@pytest.mark.parametrize("place", BAD_SESSIONS)
def test_a_bad_value_of_a_session_is_refused_by_its_place(place: str) -> None:
    assert refusal(own(**({"messages": []} | BAD_SESSIONS[place]))).params == {"place": place}


@pytest.mark.parametrize("place", BAD_MESSAGES)
def test_a_bad_value_of_a_message_is_refused_by_its_place(place: str) -> None:
    bad = said(id="m2") | BAD_MESSAGES[place]
    assert refusal(own(said(), bad)).params == {"place": f"messages[1].{place}"}


@pytest.mark.parametrize("key", ["role", "content"])
def test_a_message_without_role_or_content_is_refused(key: str) -> None:
    bad = said()
    del bad[key]
    assert refusal(own(bad)).message == f"messages[0].{key}: is required"


def test_an_id_used_twice_is_refused_in_our_own_form() -> None:
    assert refusal(own(said(), said())).params["place"] == "messages[1].id"


@pytest.mark.parametrize(
    "document", [None, 5, "text", [], {"sessions": []}, [[]], {}, {"name": "a package", "version": 3}]
)
def test_json_that_is_no_session_is_refused(document: Any) -> None:
    refusal(document)


def test_more_than_a_million_messages_are_refused() -> None:
    document = own(messages=[None] * (IMPORT_MESSAGES + 1))
    assert refusal(document).params["place"] == "messages"


@pytest.mark.parametrize(
    ("document", "place"),
    [
        (own(said(metadata={"secret": nested(61)})), "messages[0].metadata"),
        (
            own(said(tool_calls=[{"name": "n", "arguments": {"secret": nested(59)}}])),
            "messages[0].tool_calls[0].arguments",
        ),
        (own(secret=nested(64)), "document"),
        (own(said(secret=nested(62))), "messages[0]"),
        (nested(65), "[0]"),
    ],
)
def test_nesting_beyond_64_is_refused_wherever_it_is(document: Any, place: str) -> None:
    assert refusal(document).params["place"] == place


def test_nesting_of_64_is_taken() -> None:
    assert one(own(said(metadata={"deep": nested(60)}))).messages[0].metadata == {"deep": nested(60)}


def test_a_value_that_holds_itself_is_refused() -> None:
    twice: list[Any] = []
    twice += [twice, twice]
    assert refusal(own(metadata={"a": twice})).params["place"] == "metadata"


# --- several sessions


def test_arrays_and_lists_of_sessions_are_taken_in_their_order() -> None:
    documents = [own(id="b"), go_form(real_transcript(60, large=False))]
    for whole in (documents, {"sessions": documents}, {"exported_at": 1, "Sessions": documents}):
        assert [bundle.record.id for bundle in parsed(whole)] == ["b", "transcript-zh-en"]


def test_faults_in_one_of_several_sessions_name_it() -> None:
    assert refusal([own(), own(said(role="x"), id="s2")]).params["place"] == "[1].messages[0].role"
    assert refusal({"sessions": [own(name=LONG)]}).params["place"] == "sessions[0].name"
    assert refusal([own(), own()]).params["place"] == "[1].id"


# --- the seed's forms


def test_go_field_names_are_understood() -> None:
    document = real_transcript(90)
    bundle = one(go_form(document))
    assert (bundle.record.id, bundle.record.name) == (document["id"], document["name"])
    assert bundle.record.agent_mode is AgentMode.GENERAL
    assert bundle.record.created_at == START
    for message, entry in zip(bundle.messages, document["messages"], strict=True):
        assert (message.id, message.role.value, message.content) == (entry["id"], entry["role"], entry["content"])
        assert (message.metadata, message.timestamp) == (entry["metadata"], entry["timestamp"] // 1000 * 1000)


@pytest.mark.parametrize(
    "keys",
    [
        ("id", "name", "agent_mode", "created_at", "messages", "session_id", "role", "content", "timestamp"),
        ("ID", "Name", "AgentMode", "CreatedAt", "Messages", "SessionID", "Role", "Content", "Timestamp"),
        ("id", "name", "agentMode", "createdAt", "messages", "sessionId", "role", "content", "timestamp"),
    ],
)
def test_every_spelling_gives_the_same_session(keys: tuple[str, ...]) -> None:
    a, b, c, d, e, f, g, h, i = keys
    message = {a: "m", f: "s", g: "assistant", h: "好", i: 1_768_723_201}
    bundle = one({a: "s", b: "n", c: "plan", d: 1_768_723_200, e: [message], "Custom": 1})
    assert (bundle.record.id, bundle.record.name, bundle.record.agent_mode) == ("s", "n", AgentMode.PLAN)
    assert (bundle.record.created_at, bundle.record.updated_at) == (START, START + 1000)
    assert bundle.record.metadata == {"imported": {"Custom": 1}}
    (found,) = bundle.messages
    assert (found.id, found.role, found.content, found.timestamp) == ("m", Role.ASSISTANT, "好", START + 1000)


def test_milliseconds_and_go_s_zero_times_are_recognised() -> None:
    bundle = one({"CreatedAt": START, "UpdatedAt": -62_135_596_800, "Messages": [said(timestamp=0)]})
    assert (bundle.record.created_at, bundle.record.updated_at, bundle.messages[0].timestamp) == (START, START, START)


def test_missing_zero_and_repeated_message_ids_are_replaced_in_the_seed_s_form() -> None:
    entries = [said(id=value) for value in ("", 0, None, 7, "7", "msg-1")]
    assert [m.id for m in one({"messages": entries}).messages] == ["new-2", "new-3", "new-4", "7", "new-5", "msg-1"]


def test_empty_go_slices_and_maps_are_no_fault() -> None:
    bundle = one({"ID": "s", "Name": "", "AgentMode": "build", "Messages": None, "Metadata": None})
    assert (bundle.record.name, bundle.record.metadata, bundle.messages) == (FALLBACK_NAME, {}, ())


# --- hostile documents


WILD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] * bool(path) + [place for key, item in inner for place in places(item, (*path, key))]


@given(WILD)
@settings(max_examples=50, deadline=None)
def test_any_json_gives_sessions_or_a_refusal(document: Any) -> None:
    try:
        bundles = parsed(document)
    except ImportInvalid:
        return
    for bundle in bundles:
        json.dumps(exported(bundle), allow_nan=False).encode()


@given(DOCUMENTS, st.booleans(), WILD, st.data())
@settings(max_examples=60, deadline=None)
def test_a_document_with_one_wild_value_gives_sessions_or_a_refusal(
    document: Document, seed: bool, value: Any, data: st.DataObject
) -> None:
    document = go_form(document) if seed else copy.deepcopy(document)
    *path, last = data.draw(st.sampled_from(places(document)))
    target: Any = document
    for key in path:
        target = target[key]
    target[last] = value
    try:
        bundles = parsed(document)
    except ImportInvalid as error:
        assert error.params["place"]
        return
    for bundle in bundles:
        again = json.loads(json.dumps(exported(bundle), allow_nan=False))
        assert exported(one(again)) == exported(bundle)


@pytest.mark.parametrize("key", ["name", "agent_mode", "status", "description", "metadata", "tags", "id", "messages"])
def test_a_refusal_never_repeats_what_the_document_says(key: str) -> None:
    canary = "c4n4ry-€"
    error = refusal(own(**{key: {canary: canary * 1000} if key != "metadata" else [canary]}))
    assert "c4n4ry" not in error.message + str(error.params)


# --- rows of a database


def test_a_bad_row_costs_only_itself() -> None:
    rows = [
        own(said(), said(id="m2", role="x"), said(id="m3"), deleted_at=77),
        own(id="../x"),
        own(id="s1"),
        own(id="s4", status="running"),
    ]
    bundles, problems = parse_rows(rows, now=NOW, new_id=ids())
    assert [(bundle.record.id, [m.id for m in bundle.messages]) for bundle in bundles] == [
        ("s1", ["m1", "m3"]),
        ("s4", []),
    ]
    assert [m.seq for m in bundles[0].messages] == [1, 2]
    assert bundles[0].record.deleted_at == 77
    assert [problem.split(":")[1].strip() for problem in problems] == [
        "sessions[0].messages[1].role",
        "sessions[1].id",
        "sessions[2].id",
    ]


def test_rows_keep_what_an_earlier_import_put_aside() -> None:
    ((bundle,), _) = parse_rows([own(metadata={"imported": {"x": 1}})], now=NOW, new_id=ids())
    assert bundle.record.metadata == {"imported": {"x": 1}}


def test_a_document_can_not_come_in_as_deleted() -> None:
    record = one(own(deleted_at=77)).record
    assert record.deleted_at is None and record.metadata == {"imported": {"deleted_at": 77}}


def test_endless_problems_are_counted_not_kept() -> None:
    _, problems = parse_rows([own(*[None] * 5000)], now=NOW, new_id=ids())
    assert len(problems) == 101 and problems[-1] == "and 4900 more problems"

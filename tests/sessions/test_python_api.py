"""Sessions from Python, as the guide of the Go platform shows them: each of its examples has a counterpart here."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import kore_ls
from kore_ls import (
    AgentFactory,
    AgentMode,
    Cipher,
    ManagerConfig,
    Message,
    Role,
    Session,
    SessionManager,
    SessionRecord,
    SessionStatus,
    SQLiteStore,
    Storage,
)
from kore_ls.agents.quiet import QuietAgent
from kore_ls.errors import (
    AgentFailed,
    BadTransition,
    ImportInvalid,
    InvalidParams,
    KoreError,
    SessionClosed,
    SessionExists,
    SessionLimitReached,
    SessionNotFound,
)


class Agent(QuietAgent):
    """Knows which session it works for, and whether it was let go."""

    def __init__(self, session: SessionRecord) -> None:
        self.session = session
        self.closed = 0

    async def close(self) -> None:
        self.closed += 1


def make_agent(session: SessionRecord) -> Agent:
    return Agent(session)


@pytest.fixture
async def manager(tmp_path: Path, cipher: Cipher | None) -> AsyncIterator[SessionManager]:
    config = ManagerConfig(data_dir=tmp_path, max_sessions=10, session_name_prefix="会话")
    factory: AgentFactory = make_agent
    async with SessionManager(config, SQLiteStore(tmp_path / "sessions.db", cipher), factory) as made:
        yield made


def test_everything_is_imported_from_the_package() -> None:
    for name in kore_ls.__all__:
        assert getattr(kore_ls, name) is not None
    with pytest.raises(AttributeError, match="Nope"):
        _ = kore_ls.Nope


async def test_a_store_is_made_by_the_first_write(tmp_path: Path) -> None:
    async with SessionManager(ManagerConfig(data_dir=tmp_path / "data")) as manager:
        assert await manager.list_sessions() == []
        assert not (tmp_path / "data").exists()
        await manager.create_session("我的项目", AgentMode.BUILD)
        assert (tmp_path / "data" / "sessions.db").exists()


def test_the_defaults_are_those_of_the_guide() -> None:
    config = ManagerConfig()
    assert (config.auto_save_interval, config.max_sessions, config.session_name_prefix) == (30, 10, "会话")
    assert ManagerConfig(auto_save_interval=timedelta(minutes=1)).auto_save_interval == 60
    assert config.evict_idle is False


async def test_create_gives_a_handle_with_the_fields_of_the_guide(manager: SessionManager) -> None:
    session = await manager.create_session("我的项目", AgentMode.BUILD)
    assert isinstance(session, Session)
    assert isinstance(manager.storage, Storage)
    assert (session.name, session.agent_mode, session.status) == ("我的项目", AgentMode.BUILD, SessionStatus.IDLE)
    assert isinstance(session.agent, Agent)
    assert session.agent.session.id == session.id
    assert session.created_at == session.updated_at
    assert (session.metadata, await session.messages, session.is_active()) == ({}, [], True)
    assert "我的项目" not in repr(session)
    assert session.id in repr(session)


async def test_a_mode_may_be_given_as_a_word_and_a_name_left_out(manager: SessionManager) -> None:
    assert (await manager.create_session(mode="plan")).agent_mode is AgentMode.PLAN
    assert (await manager.create_session()).name == "会话 2"
    with pytest.raises(InvalidParams, match=r"params\.mode"):
        await manager.create_session(mode="omnipotent")


async def test_get_list_switch_rename_close(manager: SessionManager) -> None:
    one = await manager.create_session("项目 A", AgentMode.BUILD)
    two = await manager.create_session("项目 B", AgentMode.PLAN)
    assert {session.name for session in await manager.list_sessions()} == {"项目 A", "项目 B"}
    assert (await manager.get_session(one.id)) is one
    assert (await manager.switch_session(one.id)) is one
    current = await manager.current_session()
    assert current is one
    await manager.add_message(one.id, Message(role="user", content="帮我实现用户认证"))
    await manager.rename_session(two.id, "新名称")
    assert two.name == "新名称"
    await manager.close_session(one.id)
    assert (one.status, one.is_active(), one.agent) == (SessionStatus.CLOSED, False, None)
    assert await manager.current_session() is two


async def test_a_list_longer_than_a_page_is_whole(manager: SessionManager) -> None:
    from kore_ls.storage.session_rows import SessionQuery

    for n in range(7):
        await manager.create_session(f"s{n}", activate=False)
    assert len(await manager.list_sessions(SessionQuery(limit=2))) == 7


async def test_messages_are_added_and_read(manager: SessionManager) -> None:
    session = await manager.create_session("s")
    stored = await manager.add_message(
        session.id, Message(id=kore_ls_id("msg-123"), role="user", content="Hello, Kore!", timestamp=1_768_723_200_000)
    )
    assert (stored.id, stored.seq, stored.session_id, stored.role) == ("msg-123", 1, session.id, Role.USER)
    await session.add_message(Message(role=Role.ASSISTANT, content="你好"))
    assert [m.content for m in await manager.get_messages(session.id)] == ["Hello, Kore!", "你好"]
    assert await session.get_messages() == await session.messages
    assert [m.seq async for m in session.messages] == [1, 2]
    assert session.updated_at >= session.created_at
    assert (await manager.get_session(session.id)).record.last_message is not None


def kore_ls_id(value: str) -> kore_ls.model.ids.MessageId:
    from kore_ls.model.ids import MessageId

    return MessageId(value)


async def test_more_messages_than_a_page_are_read(manager: SessionManager) -> None:
    session = await manager.create_session("s")
    await asyncio.gather(*(session.add_message(Message(role="user", content=str(n))) for n in range(1_100)))
    assert [m.content for m in await session.messages] == [str(n) for n in range(1_100)]


async def test_three_sessions_in_parallel(manager: SessionManager) -> None:
    async def work(number: int) -> Session:
        async with manager.session(f"任务 {number}", AgentMode.BUILD) as session:
            await session.add_message(Message(role="user", content=f"执行任务 {number}"))
            assert session.is_active()
        return session

    sessions = await asyncio.gather(*(work(number) for number in range(3)))
    assert {session.status for session in sessions} == {SessionStatus.CLOSED}
    for number, session in enumerate(sessions):
        assert [m.content for m in await session.messages] == [f"执行任务 {number}"]


async def test_a_block_closes_its_session_also_when_it_fails(manager: SessionManager) -> None:
    with pytest.raises(ZeroDivisionError):
        async with manager.session("临时会话") as session:
            raise ZeroDivisionError
    assert session.status is SessionStatus.CLOSED


async def test_a_block_may_delete_its_session(manager: SessionManager) -> None:
    for permanent in (False, True):
        async with manager.session() as session:
            await manager.delete_session(session.id, permanent=permanent)
        with pytest.raises(SessionNotFound):
            await manager.get_session(session.id)


async def test_export_and_import(manager: SessionManager, tmp_path: Path) -> None:
    session = await manager.create_session("我的会话", AgentMode.BUILD)
    await session.add_message(Message(role="user", content="你好"))
    path = tmp_path / "session-export.json"
    path.write_text(json.dumps(await manager.export_session(session.id), ensure_ascii=False, indent=2))
    document = json.loads(path.read_text())
    with pytest.raises(SessionExists):
        await manager.import_session(document)
    copy = await manager.import_session(document, on_conflict="copy")
    assert (copy.name, copy.id != session.id, copy.agent) == ("我的会话", True, None)
    assert [m.content for m in await copy.messages] == ["你好"]
    kept = await manager.import_session(document, on_conflict="skip")
    assert kept is session
    await manager.delete_session(session.id, permanent=True)
    assert (await manager.import_session(document)).id == session.id


async def test_a_bad_document_is_refused(manager: SessionManager) -> None:
    with pytest.raises(ImportInvalid):
        await manager.import_session({"format": "other"})
    assert await manager.list_sessions() == []


async def test_metadata_changes_by_an_update(manager: SessionManager) -> None:
    session = await manager.create_session("s", metadata={"priority": "low", "owner": "x"})
    await manager.update_session(session.id, metadata={"project": "kore", "priority": "high", "owner": None})
    assert session.metadata == {"project": "kore", "priority": "high"}


async def test_metadata_changes_by_saving_a_changed_record(manager: SessionManager) -> None:
    session = await manager.create_session("s")
    metadata = {**session.metadata, "project": "my-project", "language": "go", "framework": "gin"}
    await manager.storage.save_session(session.evolve(metadata=metadata))
    assert (await manager.get_session(session.id)).metadata == metadata
    assert session.metadata == metadata


async def test_sessions_are_chosen_by_metadata(manager: SessionManager) -> None:
    await manager.create_session("a", metadata={"project": "kore"})
    await manager.create_session("b", metadata={"project": "other"})
    found = [s for s in await manager.list_sessions() if s.metadata["project"] == "kore"]
    assert [s.name for s in found] == ["a"]


async def test_the_limit_is_told_in_the_words_of_the_guide_and_a_closed_session_makes_room(
    tmp_path: Path, cipher: Cipher | None
) -> None:
    async with SessionManager(
        ManagerConfig(data_dir=tmp_path, max_sessions=2), SQLiteStore(tmp_path / "sessions.db", cipher)
    ) as manager:
        old = await manager.create_session("old")
        await manager.create_session("other")
        with pytest.raises(SessionLimitReached) as raised:
            await manager.create_session("我的会话")
        assert str(raised.value) == "maximum session limit reached"
        await old.close()
        assert (await manager.create_session("我的会话")).name == "我的会话"


async def test_with_eviction_the_oldest_makes_room_and_is_loaded_again_by_a_switch(
    tmp_path: Path, cipher: Cipher | None
) -> None:
    config = ManagerConfig(data_dir=tmp_path, max_sessions=1, evict_idle=True)
    async with SessionManager(config, SQLiteStore(tmp_path / "sessions.db", cipher), make_agent) as manager:
        one = await manager.create_session("one")
        agent = one.agent
        two = await manager.create_session("two")
        assert isinstance(agent, Agent) and agent.closed == 1
        assert (one.agent, one.is_active()) == (None, True)
        await manager.switch_session(one.id)
        assert one.agent is not None
        assert two.agent is None


async def test_a_factory_may_be_asynchronous_and_may_fail(tmp_path: Path, cipher: Cipher | None) -> None:
    async def factory(session: SessionRecord) -> Agent:
        await asyncio.sleep(0)
        if session.agent_mode is AgentMode.PLAN:
            raise OSError("no such program: secret")
        return Agent(session)

    async with SessionManager(
        ManagerConfig(data_dir=tmp_path), SQLiteStore(tmp_path / "sessions.db", cipher), factory
    ) as manager:
        assert isinstance((await manager.create_session()).agent, Agent)
        with pytest.raises(AgentFailed) as raised:
            await manager.create_session(mode="plan")
        assert "secret" not in str(raised.value)
        assert isinstance(raised.value.__cause__, OSError)
        assert len(await manager.list_sessions()) == 1


async def test_shutdown_releases_agents_closes_no_session_and_may_be_called_again(
    tmp_path: Path, cipher: Cipher | None
) -> None:
    manager = SessionManager(
        ManagerConfig(data_dir=tmp_path), SQLiteStore(tmp_path / "sessions.db", cipher), make_agent
    )
    session = await manager.create_session("s")
    agent = session.agent
    await session.add_message(Message(role="user", content="x"))
    await asyncio.gather(manager.shutdown(), manager.shutdown())
    await manager.shutdown()
    assert isinstance(agent, Agent) and agent.closed == 1
    async with SessionManager(ManagerConfig(data_dir=tmp_path), SQLiteStore(tmp_path / "sessions.db", cipher)) as again:
        current = await again.current_session()
        assert current is not None
        assert (current.id, current.status, current.record.message_count) == (session.id, SessionStatus.IDLE, 1)


async def test_pause_resume_delete_restore_fork_update(manager: SessionManager) -> None:
    session = await manager.create_session("s")
    await session.add_message(Message(role="user", content="x"))
    assert (await manager.pause_session(session.id)).status is SessionStatus.PAUSED
    with pytest.raises(BadTransition):
        await manager.pause_session(session.id)
    assert (await manager.resume_session(session.id)).status is SessionStatus.IDLE
    fork = await manager.fork_session(session.id, name="other way")
    assert (fork.name, fork.record.parent_id, fork.record.message_count) == ("other way", session.id, 1)
    await manager.delete_session(session.id)
    with pytest.raises(SessionNotFound):
        await manager.get_session(session.id)
    assert await manager.restore_session(session.id) is session
    await manager.update_session(session.id, pinned=True, tags=["a", "a", "b"])
    assert (session.record.pinned, session.record.tags) == (True, ("a", "b"))


async def test_errors_are_one_family_and_say_what_is_wrong(manager: SessionManager) -> None:
    session = await manager.create_session("s")
    await session.close()
    with pytest.raises(SessionClosed, match="the session is closed"):
        await session.add_message(Message(role="user", content="x"))
    with pytest.raises(LookupError):
        await manager.get_session("unknown")
    for name in ("", "x" * 201, "a\0b"):
        with pytest.raises(KoreError):
            await manager.create_session(name)
        with pytest.raises(KoreError):
            await manager.rename_session(session.id, name)


@pytest.mark.parametrize("session_id", ["../../x", "", "a\0"])
async def test_what_is_no_id_is_refused_everywhere(manager: SessionManager, session_id: str) -> None:
    message = Message(role="user", content="x")
    for call in (
        manager.get_session(session_id),
        manager.switch_session(session_id),
        manager.close_session(session_id),
        manager.rename_session(session_id, "n"),
        manager.update_session(session_id, pinned=True),
        manager.pause_session(session_id),
        manager.resume_session(session_id),
        manager.delete_session(session_id),
        manager.delete_session(session_id, permanent=True),
        manager.restore_session(session_id),
        manager.fork_session(session_id),
        manager.add_message(session_id, message),
        manager.get_messages(session_id),
        manager.export_session(session_id),
    ):
        with pytest.raises(InvalidParams):
            await call


async def test_bad_messages_are_refused_as_on_the_wire(manager: SessionManager) -> None:
    session = await manager.create_session("s")
    for message in (
        Message(role="user", content="\ud800"),
        Message(role="user", content="x" * ((16 << 20) + 1)),
        Message(role="user", content="x", metadata={"k": float("nan")}),
        Message(role="user", content="x", id=kore_ls_id("../x")),
    ):
        with pytest.raises(InvalidParams):
            await session.add_message(message)
    assert await session.messages == []


async def test_a_handle_shows_what_any_way_of_changing_it_did(manager: SessionManager) -> None:
    session = await manager.create_session("s")
    other = await manager.get_session(session.id)
    await manager.rename_session(session.id, "t")
    assert (session.name, other.name) == ("t", "t")
    await session.add_message(Message(role="user", content="x"))
    assert session.record == await manager.storage.load_session(session.id)


async def test_time_and_ids_come_from_where_they_are_told_to(tmp_path: Path, cipher: Cipher | None) -> None:
    times, ids = iter(range(1_000, 2_000)), iter(f"id-{n}" for n in range(100))
    manager = SessionManager(
        ManagerConfig(data_dir=tmp_path),
        SQLiteStore(tmp_path / "sessions.db", cipher),
        clock=lambda: next(times),
        ids=lambda: next(ids),
        agent_factory=make_agent,
    )
    async with manager:
        session = await manager.create_session()
        assert (session.id, session.created_at) == ("id-0", 1_000)
        assert (await manager.fork_session(session.id)).id == "id-1"


async def test_auto_save_runs_and_a_failing_one_is_told(tmp_path: Path, cipher: Cipher | None) -> None:
    from kore_ls.errors import StoreFull
    from kore_ls.model.event import Event, EventType

    class Full(SQLiteStore):
        async def flush(self) -> None:
            raise StoreFull

    heard: asyncio.Queue[Event] = asyncio.Queue()
    manager = SessionManager(ManagerConfig(auto_save_interval=0.001), Full(tmp_path / "sessions.db", cipher))
    manager.events.listen(heard.put_nowait)
    async with manager:
        event = await asyncio.wait_for(heard.get(), 30)
    assert (event.type, event.error_kind) == (EventType.STORE_ERROR, "storeFull")


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_sessions": "x"},
        {"max_sessions": -1},
        {"max_sessions": 1.5},
        {"auto_save_interval": -1},
        {"auto_save_interval": float("nan")},
        {"session_name_prefix": "a\0"},
        {"session_name_prefix": "x" * 300},
        {"default_mode": "godlike"},
    ],
)
def test_a_setting_that_can_not_work_is_refused_at_once(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong)) if "default_mode" not in wrong else "godlike"):
        ManagerConfig(**wrong)


async def test_agents_are_let_go_together(tmp_path: Path, cipher: Cipher | None) -> None:
    """Each waits for the others to be closing, so that one after the other would never end."""
    closing = asyncio.Barrier(3)

    class Slow(QuietAgent):
        async def close(self) -> None:
            await closing.wait()

    manager = SessionManager(
        ManagerConfig(data_dir=tmp_path), SQLiteStore(tmp_path / "sessions.db", cipher), lambda _: Slow()
    )
    for _ in range(3):
        await manager.create_session()
    async with asyncio.timeout(4):
        await manager.shutdown()

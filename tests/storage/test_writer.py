from __future__ import annotations

import asyncio
import sqlite3
import warnings
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kore_ls.errors import KoreError, SessionNotFound, StoreDamaged, StoreFull
from kore_ls.model.event import EventType
from kore_ls.model.ids import SessionId
from kore_ls.storage.database import ConnectionClosed, Database
from kore_ls.storage.migrations import migrate
from kore_ls.storage.writer import BATCH, Transaction, Writer


class Scene:
    """A writer on a small table of its own, and what its guard is to say."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.writer = Writer(database, "me", self._guard)
        self.replaced = False

    def _guard(self) -> None:
        if self.replaced:
            raise StoreDamaged(reason="replaced")

    async def add(self, value: object, error: Exception | None = None) -> object:
        """Insert a value; with an error, raise it afterwards."""

        def work(transaction: Transaction) -> object:
            transaction.db.execute("INSERT INTO t VALUES (?)", (value,))
            transaction.changed(SessionId(str(value)), EventType.MESSAGE_ADDED)
            if error is not None:
                raise error
            return value

        return await self.writer.write(work)

    async def values(self, query: str = "SELECT a FROM t ORDER BY rowid") -> list[object]:
        """What is committed."""
        return await self.database.run(lambda db: [row[0] for row in db.execute(query).fetchall()])


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    database = await Database.connect(tmp_path / "t.db")
    await database.run(migrate)
    await database.run(lambda db: db.execute("CREATE TABLE t (a UNIQUE)").close())
    yield Scene(database)
    await database.close()


async def test_work_is_done_in_the_order_it_came(scene: Scene) -> None:
    results = await asyncio.gather(*(scene.add(number) for number in range(1_000)))

    assert results == list(range(1_000))
    assert await scene.values() == results


async def test_work_that_comes_together_is_committed_together(scene: Scene) -> None:
    await asyncio.gather(*(scene.add(number) for number in range(2 * BATCH)))

    assert scene.writer.commits <= 4


async def test_a_piece_of_work_that_fails_is_undone_alone(scene: Scene) -> None:
    failures: dict[int, Exception] = {3: SessionNotFound(), 5: ZeroDivisionError(), 8: ValueError()}
    results = await asyncio.gather(
        *(scene.add(number, failures.get(number)) for number in range(10)), return_exceptions=True
    )

    assert results == [failures.get(number, number) for number in range(10)]
    assert await scene.values() == [number for number in range(10) if number not in failures]
    told = await scene.values("SELECT session_id FROM changes ORDER BY n")
    assert told == [str(number) for number in range(10) if number not in failures]


async def test_a_broken_constraint_fails_its_own_work_alone(scene: Scene) -> None:
    results = await asyncio.gather(*(scene.add(value) for value in ("a", "b", "a", "c")), return_exceptions=True)

    assert isinstance(results[2], KoreError)
    assert await scene.values() == ["a", "b", "c"]


async def test_a_value_that_is_too_large_fails_its_own_work_alone(scene: Scene) -> None:
    await scene.database.run(lambda db: db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1_000))

    results = await asyncio.gather(*(scene.add(value) for value in ("a", "x" * 2_000, "b")), return_exceptions=True)

    assert isinstance(results[1], StoreFull)
    assert await scene.values() == ["a", "b"]


async def test_one_failing_piece_of_work_leaves_nothing(scene: Scene) -> None:
    with pytest.raises(SessionNotFound):
        await scene.add(1, SessionNotFound())

    assert await scene.values() == []
    assert await scene.values("SELECT n FROM changes") == []
    assert await scene.add(2) == 2


async def test_a_caller_who_is_cancelled_withdraws_nothing(scene: Scene) -> None:
    adding = [asyncio.create_task(scene.add(number)) for number in range(50)]
    await asyncio.sleep(0)
    for task in adding[::2]:
        task.cancel()
    results = await asyncio.gather(*adding, return_exceptions=True)
    await scene.writer.idle()

    assert all(isinstance(each, asyncio.CancelledError) for each in results[::2])
    assert results[1::2] == list(range(1, 50, 2))
    assert await scene.values() == list(range(50))


async def test_a_failure_that_nobody_waits_for_any_more_is_nobodys_business(scene: Scene) -> None:
    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        task = asyncio.create_task(scene.add(1, SessionNotFound()))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        await scene.writer.idle()
        del task

    assert reported == []
    assert await scene.values() == []


async def test_idle_waits_for_everything_queued(scene: Scene) -> None:
    adding = [asyncio.create_task(scene.add(number)) for number in range(2 * BATCH)]
    await asyncio.sleep(0)

    await scene.writer.idle()

    assert len(await scene.values()) == 2 * BATCH
    await asyncio.gather(*adding)
    await scene.writer.idle()


async def test_nothing_is_begun_where_the_guard_refuses(scene: Scene) -> None:
    scene.replaced = True

    with pytest.raises(StoreDamaged):
        await scene.add(1)

    scene.replaced = False
    assert await scene.values() == []
    assert await scene.add(2) == 2


async def test_what_went_into_a_file_replaced_meanwhile_is_not_acknowledged(scene: Scene) -> None:
    def work(transaction: Transaction) -> None:
        transaction.db.execute("INSERT INTO t VALUES (1)")
        scene.replaced = True

    with pytest.raises(StoreDamaged):
        await scene.writer.write(work)


async def test_after_closing_nothing_is_written(scene: Scene) -> None:
    await scene.database.close()

    results = await asyncio.gather(*(scene.add(number) for number in range(3)), return_exceptions=True)

    assert [type(each) for each in results] == [ConnectionClosed] * 3

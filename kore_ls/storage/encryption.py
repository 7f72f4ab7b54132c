"""A store's encryption as its user sees it: unlock, lock, encrypt, decrypt, another key. Keeps keys in memory alone."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

from attrs import evolve

from kore_ls.errors import KoreError, StoreReadOnly, WrongKey
from kore_ls.model.ids import Clock
from kore_ls.storage.cipher import Cipher, WrappedKey
from kore_ls.storage.faults import FAULTS, translated
from kore_ls.storage.files import is_writable
from kore_ls.storage.indexer import Told
from kore_ls.storage.keys import open_key, read_wrapped
from kore_ls.storage.leftovers import remove_leftovers
from kore_ls.storage.store_file import StoreFile
from kore_ls.storage.unlocking import Access

if TYPE_CHECKING:
    from kore_ls.storage.backups import SafeCopy

log = logging.getLogger(__name__)

_REST_S = 600.0
"""Before a key that could not be renewed is tried again."""

Report = Callable[[str, int], None]
"""Told what is being done and how many per cent of it are."""


class _Cancelled(Exception):
    """Nobody wants the conversion any more."""


class Encryption:
    """The encryption of one store."""

    def __init__(self, file: StoreFile, clock: Clock) -> None:
        self._file = file
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()
        self._rotating: asyncio.Task[None] | None = None
        self._rotated = 0
        self._rest_until = 0.0
        self._listeners: list[Told] = []

    @property
    def ciphers(self) -> tuple[Cipher, ...]:
        """What the store is opened with."""
        return self._file.access.ciphers

    @property
    def swept(self) -> bool:
        """Whether nothing of before its last change is left in the store's files; if not, that is still seen to."""
        return self._file.current is None or self._file.current.swept

    async def active(self) -> bool:
        """Whether the store is encrypted. Raises StoreLocked, WrongKey and the other errors of opening it."""
        opened = await self._file.open()
        return opened is not None and opened.key is not None

    async def in_file(self) -> bool:
        """Whether the file is encrypted by now, whoever did it; no key is needed."""
        return await self._wrapped() is not None

    async def unlock(self, cipher: Cipher | None, *, plain: bool = False) -> None:
        """Open the store with `cipher` from now on; `plain`: a plain store is meant although there is a key.

        A store that does not exist yet will be made encrypted. Raises WrongKey, and the store stays as it was.
        """
        before = self._file.access
        wrapped = await self._wrapped()
        if cipher is not None and wrapped is not None:
            await asyncio.to_thread(open_key, wrapped, cipher)
        exists_plain = wrapped is None and await self._file.exists()
        wanted = evolve(before, plain=before.plain or plain)
        if plain and wrapped is None:
            self._file.meant_plain()
        if cipher is not None and not exists_plain:
            wanted = evolve(wanted, ciphers=(cipher,))
        if wanted != before:
            await self._file.reset(wanted)
        await self._file.open()

    async def index(self, report: Callable[[int], None]) -> None:
        """Index all messages of a store that was unlocked; `report` is told how many are. Cancelling ends just that."""
        await self._file.fill_index(report)

    def listen(self, listener: Told) -> Callable[[], None]:
        """Hear of indexing in the background while the store is encrypted; the result ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def indexing(self, rows: int | None) -> None:
        """Tell that so many rows are indexed; None: it is over."""
        for listener in tuple(self._listeners):
            listener(rows)

    def stop_indexing(self) -> None:
        """Index no more in the background, until the store is opened again: what is missing is read by searches."""
        opened = self._file.current
        if opened is not None and opened.searcher is not None and opened.searcher.indexer is not None:
            opened.searcher.indexer.give_up()

    async def expect(self, cipher: Cipher) -> None:
        """Make a store that can't be opened as it is encrypted with `cipher`, once it is adopted."""
        await self._file.reset(evolve(self._file.access, ciphers=(cipher,)))

    async def lock(self) -> bool:
        """Forget the key of an encrypted store; whether there was one. What a key has derived goes with it."""
        if await self._wrapped() is None:
            return False
        await self._file.reset(evolve(self._file.access, ciphers=()))
        return True

    async def encrypt(self, cipher: Cipher, report: Report | None = None, safe: SafeCopy | None = None) -> None:
        """Make a plain store an encrypted one; one that is encrypted with this key already is fine.

        `safe` keeps a copy of the new form, and takes former copies away.
        Raises WrongKey, StoreDamaged, StoreBusy, StoreFull, StoreReadOnly; then nothing has changed.
        """
        async with self._one_at_a_time:
            wrapped = await self._wrapped()
            if wrapped is not None:
                await asyncio.to_thread(open_key, wrapped, cipher)
            if wrapped is not None or not await self._file.exists():
                await self._file.reset(evolve(self._file.access, ciphers=(cipher,), plain=False))
                return
            await self._convert((), cipher, report, safe)
            await asyncio.to_thread(remove_leftovers, self._file.path)

    async def decrypt(self, cipher: Cipher, report: Report | None = None) -> None:
        """Make an encrypted store a plain one; one that is plain is fine. Raises as `encrypt` does."""
        async with self._one_at_a_time:
            if await self._wrapped() is not None:
                await self._convert((cipher,), None, report)
            self._file.meant_plain()

    async def rekey(
        self, cipher: Cipher, new: Cipher, report: Report | None = None, safe: SafeCopy | None = None
    ) -> None:
        """Encrypt everything anew with a new random key, which `new` opens. Raises as `encrypt` does.

        See `rewrap` for what costs less and does less.
        """
        async with self._one_at_a_time:
            if await self._former() is not None:
                await self._convert((cipher,), new, report, safe)

    async def rewrap(self, cipher: Cipher, new: Cipher) -> None:
        """Let `new` open the store in place of `cipher`: its own key stays, so that only one row is written.

        Who has an older copy of the file, and `cipher`, can read what will be written, too; `rekey` ends that.
        Raises WrongKey, StoreBusy, StoreReadOnly; then nothing has changed.
        """
        async with self._one_at_a_time:
            file = self._file
            wrapped = await self._former()
            if wrapped is None:
                return
            if not is_writable(file.path):
                raise StoreReadOnly
            from kore_ls.storage.convert import rewrap  # rarely needed

            key = await asyncio.to_thread(open_key, wrapped, cipher)
            anew = await asyncio.to_thread(new.wrap, key.data_key, wrapped.key_id)
            before = file.access
            file.access = evolve(before, ciphers=(cipher, new))  # for whoever reopens the store meanwhile
            try:
                await asyncio.shield(asyncio.to_thread(rewrap, file.path, wrapped, anew))
            finally:
                done = (await self._wrapped()) == anew
                await asyncio.shield(file.reset(evolve(before, ciphers=(new,)) if done else before))
            await file.open()

    def rotate_soon(self) -> None:
        """Give the store another key of its own, in the background; what opens it stays the same."""
        loop = asyncio.get_running_loop()
        if (self._rotating is None or self._rotating.done()) and loop.time() >= self._rest_until:
            self._rotating = asyncio.create_task(self._rotate(), name="kore-rotate")

    async def _rotate(self) -> None:
        try:
            async with self._one_at_a_time:
                opened = self._file.current
                worn = opened is not None and opened.budget.worn and opened.key is not None
                if not worn or opened is None or opened.generation == self._rotated:  # never twice in a row
                    return
                cipher = self._file.access.ciphers[0]
                await self._convert((cipher,), cipher, None)
                if (opened := self._file.current) is not None:
                    self._rotated = opened.generation
        except (KoreError, ValueError) as error:  # another process does it, or it is tried again
            log.warning("the store's key can't be renewed now: %s", getattr(error, "kind", "closed"))
            self._rest_until = asyncio.get_running_loop().time() + _REST_S

    async def stop(self) -> None:
        """End what goes on in the background."""
        if self._rotating is not None:
            self._rotating.cancel()
            await asyncio.wait([self._rotating])

    async def _convert(
        self, old: tuple[Cipher, ...], new: Cipher | None, report: Report | None, safe: SafeCopy | None = None
    ) -> None:
        file = self._file
        if not is_writable(file.path):
            raise StoreReadOnly
        wrapped = await self._wrapped()
        if wrapped is not None:
            for cipher in old:
                await asyncio.to_thread(open_key, wrapped, cipher)
        if new is None:
            file.meant_plain()  # already now, for others who open it when it is; whoever unlocks it notes the contrary
        before = file.access
        after = evolve(before, ciphers=() if new is None else (new,), plain=new is None)
        # Whoever reopens the store while it is converted finds the one form or the other.
        file.access = evolve(before, ciphers=(*old, *after.ciphers), plain=True)
        try:
            await self._run(Access(old), new, report, safe)
        except BaseException:
            done = (await self._wrapped()) != wrapped
            if safe is not None and not done:
                safe.undo()
            await asyncio.shield(file.reset(after if done else before))
            raise
        await file.reset(after)
        if await file.exists():
            await file.open()

    async def _run(self, old: Access, new: Cipher | None, report: Report | None, safe: SafeCopy | None) -> None:
        loop = asyncio.get_running_loop()
        stopped = threading.Event()

        told: tuple[str, int] | None = None

        def step(word: str, done: int) -> None:
            nonlocal told
            if stopped.is_set() and word in ("copying", "copied", "kept"):
                raise _Cancelled
            if report is not None and told != (word, done):
                told = word, done
                loop.call_soon_threadsafe(report, word, done)

        from kore_ls.storage.convert import convert  # rarely needed

        work = asyncio.create_task(asyncio.to_thread(convert, self._file.path, old, new, self._clock(), step, safe))
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            stopped.set()
            await asyncio.wait([work])
            work.exception()
            raise

    async def _former(self) -> WrappedKey | None:
        """The key that is to be replaced; None: no store. Raises WrongKey for a plain one, which has none."""
        wrapped = await self._wrapped()
        if wrapped is None and await self._file.exists():
            raise WrongKey("the store is not encrypted: no key opens it, and none can be replaced")
        return wrapped

    async def _wrapped(self) -> WrappedKey | None:
        """The key in the file, whether it can be opened or not; None: plain, or no store."""
        if not await self._file.exists():
            return None
        return await asyncio.to_thread(_wrapped_in, str(self._file.path.absolute().as_uri()), self._file.read_only)


def _wrapped_in(uri: str, read_only: bool) -> WrappedKey | None:
    try:
        with closing(sqlite3.connect(f"{uri}?mode={'ro&immutable=1' if read_only else 'rw'}", uri=True)) as db:
            return read_wrapped(db)
    except FAULTS as error:
        raise translated(error) from error

"""Which session the chat is in, and what can be done with it. Asks the server, prints nothing."""

from __future__ import annotations

from kore_ls.cli.caller import Caller, Json
from kore_ls.cli.failures import CommandFailed
from kore_ls.cli.session_choice import chosen_session, listed
from kore_ls.errors import KoreError, SessionNotFound
from kore_ls.model.message import Role

LISTED = 50


class Conversation:
    """A folder's current session as this client sees it: None as long as there is none to show."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.session: Json | None = None
        self._fresh = False
        self._shown: list[Json] = []

    async def continue_current(self) -> None:
        """Go on with the folder's current session; where there is none, the first message makes one."""
        self.session = await self.caller.call("kore/session/current") or None

    def start_fresh(self) -> None:
        """Leave the session: the next message makes a new one."""
        self.session = None
        self._fresh = True

    async def needed(self) -> Json:
        """The session, made now if there is none yet."""
        if self.session is None and self._fresh:
            return await self.create()
        if self.session is None:
            self.session = await self.caller.call("kore/session/current", create=True)
        return self.session

    async def create(self, name: str | None = None) -> Json:
        """Make a session and be in it."""
        session = await self.caller.call("kore/session/create", **({"name": name} if name else {}))
        return self._enter(session)

    def present(self) -> Json:
        """The session. Raises CommandFailed where there is none yet."""
        if self.session is None:
            raise CommandFailed("there is no session yet", "a message or /new makes one, /list shows others")
        return self.session

    async def update(self, **changes: object) -> Json:
        """Change fields of the session, making it if need be."""
        session = await self.needed()
        return self._enter(await self.caller.call("kore/session/update", sessionId=session["id"], **changes))

    async def agents(self) -> list[Json]:
        """What could answer here, in a fixed order; the one that answers now is `current`."""
        listed: list[Json] = (await self.caller.call("kore/agent/list"))["backends"]
        now = (self.session or {}).get("agent")
        for each in listed:
            named = {"backend": each["backend"], "name": each.get("preset", each["backend"])}
            named |= {"model": each["model"]} if "model" in each else {}
            each["current"] = each["default"] if now is None else now == named
        return listed

    async def rename(self, name: str) -> Json:
        """Give the session another name, making it if need be."""
        if self.session is None:
            return await self.create(name)
        return self._enter(await self.caller.call("kore/session/rename", sessionId=self.session["id"], name=name))

    async def close(self) -> Json:
        """Close the session; the next message makes a new one."""
        closed: Json = await self.caller.call("kore/session/close", sessionId=self.present()["id"])
        self.start_fresh()
        return closed

    async def fork(self, seq: int | None) -> Json:
        """Copy the session up to message number `seq` (0: before the first; None: all) and be in the copy."""
        source = self.present()["id"]
        place: Json = {}
        if seq == 0:
            place = {"empty": True}
        elif seq is not None:
            place = {"messageId": (await self._message(seq))["id"]}
        forked = await self.caller.call("kore/session/fork", sessionId=source, **place)
        return await self.switch_to(forked["id"])

    async def rewind(self, seq: int | None, *, files: bool) -> Json:
        """Go back to before message number `seq` (None: the last prompt), and with `files` what turns changed since."""
        source = self.present()["id"]
        message = await (self._last_prompt() if seq is None else self._message(seq))
        done: Json = await self.caller.call(
            "kore/session/rewind", sessionId=source, messageId=message["id"], files=files
        )
        self._enter(done["session"])
        return done

    async def _message(self, seq: int) -> Json:
        page = await self.caller.call(
            "kore/message/list", sessionId=self.present()["id"], afterSeq=max(0, seq - 1), limit=1
        )
        if not page["messages"] or page["messages"][0]["seq"] != seq:
            raise CommandFailed(f"there is no message #{seq}")
        message: Json = page["messages"][0]
        return message

    async def _last_prompt(self) -> Json:
        before: Json = {}
        while True:
            page = await self.caller.call("kore/message/list", sessionId=self.present()["id"], **before)
            for message in reversed(page["messages"]):
                if message["role"] == Role.USER.value:
                    found: Json = message
                    return found
            if not page["hasMore"]:
                raise CommandFailed("there is no message of yours to go back to")
            before = {"beforeSeq": page["messages"][0]["seq"]}

    async def switch(self, wanted: str) -> Json:
        """Be in another session: by its number in the last list, its id or the beginning of it, or its name."""
        return await self.switch_to((await self._wanted(wanted))["id"])

    async def switch_to(self, session_id: str) -> Json:
        """Be in the session with this id."""
        return self._enter(await self.caller.call("kore/session/switch", sessionId=session_id))

    async def sessions(self) -> list[Json]:
        """The folder's sessions, at most 50; their numbers, from 1, can be switched to."""
        page = await self.caller.call("kore/session/list", limit=LISTED)
        self._shown = page["sessions"]
        return self._shown

    async def _wanted(self, text: str) -> Json:
        shown = self._shown or await self.sessions()
        if text.isdecimal() and 1 <= int(text) <= len(shown):
            return shown[int(text) - 1]
        named = [each async for each in listed(self.caller) if each["name"].casefold() == text.casefold()]
        if len(named) > 1:
            raise CommandFailed("several sessions have this name", "/list numbers them")
        if named:
            return named[0]
        try:
            return await chosen_session(self.caller, text)
        except SessionNotFound as error:
            if error.params:
                raise
            raise CommandFailed("no session has this number, id or name", "/list shows them") from None

    async def refresh(self) -> None:
        """Read the session anew: another program may have changed it."""
        if self.session is None:
            return
        before = self.session
        session: Json | None = None
        try:
            session = await self.caller.call("kore/session/get", sessionId=before["id"])
        except SessionNotFound:
            pass
        except KoreError:
            return
        if self.session is before:  # unless it was left meanwhile
            self.session = session

    def _enter(self, session: Json) -> Json:
        self.session = session
        self._fresh = False
        return session

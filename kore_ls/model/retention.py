"""What takes a store's room, in bytes."""

from __future__ import annotations

from attrs import frozen

from kore_ls.model.session import SessionRecord


@frozen(kw_only=True)
class SizedSession:
    """A session and the bytes of all that was said and done in it, but for what it shares with others that stay."""

    record: SessionRecord
    bytes: int


@frozen(kw_only=True)
class Space:
    """Bytes of the file, by what they are for; `files` are before-images of changed files, `free` is not used."""

    messages: int
    tool_calls: int
    search: int
    files: int
    other: int
    free: int

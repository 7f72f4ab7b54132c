"""The forms in which a session can leave: one writer each, fed with batches of messages. Reads no store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Protocol

from kore_ls.model.ids import Clock
from kore_ls.model.message import Message
from kore_ls.model.session import SessionRecord
from kore_ls.sessions.documents.redaction import Redactor

SUFFIXES = {"json": ".json", "markdown": ".md", "html": ".html"}
"""What files of each form are called."""


class Writer(Protocol):
    """Writes one document: `head`, then `messages` any number of times, then `end`; the pieces joined are UTF-8."""

    def head(self) -> bytes:
        """Everything before the first message."""

    def messages(self, batch: Iterable[Message]) -> bytes:
        """The next messages in `seq` order."""

    def end(self) -> bytes:
        """What closes the document."""


async def pieces(
    form: str,
    record: SessionRecord,
    batches: AsyncIterator[Sequence[Message]],
    clock: Clock,
    redactor: Redactor | None = None,
) -> AsyncIterator[bytes]:
    """The session's document, piece by piece; with a `redactor` without secrets. What `batches` raises passes."""
    writer = _writer(form, record if redactor is None else redactor.record(record), clock)
    yield writer.head()
    async for batch in batches:
        if batch:
            yield writer.messages(batch if redactor is None else map(redactor.message, batch))
    if end := writer.end():
        yield end


def _writer(form: str, record: SessionRecord, clock: Clock) -> Writer:
    if form == "markdown":
        from kore_ls.sessions.documents.readable.markdown import MarkdownWriter

        return MarkdownWriter(record, clock=clock)
    if form == "html":
        from kore_ls.sessions.documents.readable.page import HtmlWriter

        return HtmlWriter(record, clock=clock)
    from kore_ls.sessions.documents.export_document import DocumentWriter

    return DocumentWriter(record, clock=clock)

"""The text of an answer while it is given: what of it was told, what is still to be told, and the draft of it all.

What its tools print meanwhile is kept with it.
"""

from __future__ import annotations

from attrs import evolve

from kore_ls.agents.toolbox import ToolOutput
from kore_ls.model.event import Speech, StreamedOutput, StreamedText
from kore_ls.model.ids import MessageId
from kore_ls.model.json_value import valid
from kore_ls.model.message import ToolCall
from kore_ls.model.turn import Draft

MOST_CHARS = 4_000_000
"""An answer longer than this goes on in another message: none may have more than 16 MiB."""
MOST_PRINTED = 256_000
"""So many characters of what a running call prints are kept, from its beginning on."""


class AnswerText:
    """One step's text and thinking, which become the message `message_id`."""

    def __init__(self, message_id: MessageId) -> None:
        self.message_id = message_id
        self._parts: dict[Speech, list[str]] = {speech: [] for speech in Speech}
        self._told: dict[Speech, int] = dict.fromkeys(Speech, 0)
        self._untold: list[tuple[Speech, list[str]]] = []
        self._printed: dict[str, list[str]] = {}
        self._room: dict[str, int] = {}
        self.chars = 0

    def add(self, speech: Speech, text: str) -> None:
        """More of the answer; what is no valid text becomes U+FFFD."""
        text = valid(text)
        self._parts[speech].append(text)
        self.chars += len(text)
        if self._untold and self._untold[-1][0] is speech:
            self._untold[-1][1].append(text)
        else:
            self._untold.append((speech, [text]))

    def untold(self) -> list[StreamedText]:
        """What was added since the last call, in order, as few pieces as there are changes of kind."""
        taken, self._untold = self._untold, []
        pieces = []
        for speech, parts in taken:
            delta = "".join(parts)
            pieces.append(StreamedText(message_id=self.message_id, kind=speech, offset=self._told[speech], delta=delta))
            self._told[speech] += utf16_length(delta)
        return pieces

    def printed(self, output: ToolOutput) -> StreamedOutput:
        """Keep what a running call printed; the fact to be told."""
        room = self._room.get(output.call_id, MOST_PRINTED)
        self._printed.setdefault(output.call_id, []).append(output.chunk[:room])
        self._room[output.call_id] = max(room - len(output.chunk), 0)
        return StreamedOutput(tool_call_id=output.call_id, offset=output.offset, chunk=output.chunk)

    def with_output(self, calls: tuple[ToolCall, ...]) -> tuple[ToolCall, ...]:
        """The step's calls; those without a result have what they have printed so far as its `text`."""
        return tuple(
            evolve(call, result={"text": "".join(self._printed[call.id])})
            if call.result is None and call.id in self._printed
            else call
            for call in calls
        )

    def draft(self, calls: tuple[ToolCall, ...]) -> Draft:
        """The whole step as it is now."""
        return Draft(
            message_id=self.message_id,
            text=self._whole(Speech.TEXT),
            thinking=self._whole(Speech.THINKING),
            calls=self.with_output(calls),
        )

    def _whole(self, speech: Speech) -> str:
        parts = self._parts[speech]
        if len(parts) > 1:
            parts[:] = ["".join(parts)]
        return parts[0] if parts else ""


def utf16_length(text: str) -> int:
    """How many UTF-16 units a text has."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2

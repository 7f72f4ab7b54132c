"""Facts to whoever listens."""

from __future__ import annotations

import pytest

from kore_ls.model.event import Event, EventType
from kore_ls.sessions.bus import EventBus

FACT = Event(type=EventType.STORE_CHANGED, timestamp=1)


def test_every_listener_hears_every_fact_in_order() -> None:
    bus = EventBus()
    heard: list[object] = []
    bus.listen(lambda event: heard.append(("a", event.timestamp)))
    bus.listen(lambda event: heard.append(("b", event.timestamp)))
    for time in (1, 2):
        bus.publish(Event(type=EventType.STORE_CHANGED, timestamp=time))
    assert heard == [("a", 1), ("b", 1), ("a", 2), ("b", 2)]


def test_who_stops_listening_hears_nothing_more() -> None:
    bus = EventBus()
    heard: list[object] = []
    stop = bus.listen(heard.append)
    bus.publish(FACT)
    stop()
    stop()
    bus.publish(FACT)
    assert heard == [FACT]


def test_a_listener_may_stop_while_it_is_told() -> None:
    bus = EventBus()
    heard: list[object] = []

    def once(event: Event) -> None:
        heard.append("once")
        stop()

    stop = bus.listen(once)
    bus.listen(lambda event: heard.append("always"))
    bus.publish(FACT)
    bus.publish(FACT)
    assert heard == ["once", "always", "always"]


def test_a_listener_that_fails_keeps_no_other_from_hearing(caplog: pytest.LogCaptureFixture) -> None:
    bus = EventBus()
    heard: list[object] = []

    def failing(event: Event) -> None:
        raise RuntimeError("what a user wrote")

    bus.listen(failing)
    bus.listen(heard.append)
    bus.publish(FACT)
    assert heard == [FACT]
    assert "RuntimeError" in caplog.text
    assert "what a user wrote" not in caplog.text

"""Facts to whoever listens, in order, after they were committed."""

from __future__ import annotations

import logging
from collections.abc import Callable

from kore_ls.model.event import Event

log = logging.getLogger(__name__)

Listener = Callable[[Event], None]


class EventBus:
    """Calls every listener with every fact. A listener must return at once and must not raise."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Start calling `listener`; the result stops it."""
        self._listeners.append(listener)

        def stop() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return stop

    def publish(self, event: Event) -> None:
        """Tell every listener; one that fails does not keep the others from hearing."""
        for listener in tuple(self._listeners):
            try:
                listener(event)
            except Exception as error:  # the boundary between a commit and those who watch it
                log.error("a listener failed on %s: %s", event.type.value, type(error).__name__)

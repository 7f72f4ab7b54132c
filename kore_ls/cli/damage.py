"""What the commands say of sessions that were left out because they can't be read."""

from __future__ import annotations

from collections.abc import Sequence

from kore_ls.cli.screen import Screen

_SHOWN = 5


def tell_of_damage(screen: Screen, session_ids: Sequence[str]) -> None:
    """Name the sessions that were left out, some of them if they are many; nothing if there are none."""
    if session_ids:
        more = f" and {len(session_ids) - _SHOWN} more" if len(session_ids) > _SHOWN else ""
        named = ", ".join(session_ids[:_SHOWN])
        screen.note(f"left out, as they can't be read: {named}{more}; kore-ls store check says what is wrong")

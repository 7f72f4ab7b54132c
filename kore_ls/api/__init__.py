"""The kore/* methods by name. The module that declares one is imported when one of its is first called."""

from __future__ import annotations

from kore_ls.rpc.methods import PROTOCOL_VERSION as PROTOCOL_VERSION
from kore_ls.rpc.methods import MethodTable

TABLE = MethodTable.late(
    {
        "kore_ls.api.session": (
            "kore/session/create",
            "kore/session/get",
            "kore/session/current",
            "kore/session/switch",
            "kore/session/close",
            "kore/session/rename",
            "kore/session/update",
            "kore/session/pause",
            "kore/session/resume",
            "kore/session/delete",
            "kore/session/restore",
            "kore/session/fork",
            "kore/session/save",
        ),
        "kore_ls.api.session_list": ("kore/session/list",),
        "kore_ls.api.rewind": ("kore/session/rewind",),
        "kore_ls.api.search": ("kore/session/search",),
        "kore_ls.api.transfer": ("kore/session/export", "kore/session/import"),
        "kore_ls.api.message": ("kore/message/add", "kore/message/list"),
        "kore_ls.api.turn": ("kore/turn/start", "kore/turn/cancel", "kore/turn/list", "kore/turn/revert"),
        "kore_ls.api.history": ("kore/history/scan", "kore/history/import", "kore/history/export"),
        "kore_ls.api.permission": (
            "kore/permission/list",
            "kore/permission/answer",
            "kore/permission/rules",
            "kore/permission/revoke",
            "kore/permission/log",
        ),
        "kore_ls.api.agent": ("kore/agent/list", "kore/agent/setKey"),
        "kore_ls.api.store": ("kore/store/status", "kore/store/adopt", "kore/store/check", "kore/store/backup"),
        "kore_ls.api.store_backup": ("kore/store/backups", "kore/store/restore"),
        "kore_ls.api.store_keys": (
            "kore/store/unlock",
            "kore/store/lock",
            "kore/store/encrypt",
            "kore/store/decrypt",
            "kore/store/rekey",
        ),
        "kore_ls.api.retention": ("kore/store/retention",),
        "kore_ls.api.event": ("kore/event/subscribe", "kore/event/unsubscribe"),
    },
    no_commands={
        "kore/permission/answer",
        "kore/agent/setKey",
        "kore/store/unlock",
        "kore/store/encrypt",
        "kore/store/decrypt",
        "kore/store/rekey",
        "kore/event/subscribe",
        "kore/event/unsubscribe",
    },
)
"""All of them, in the order of PROTOCOL.md."""

"""The kore/* handlers, by namespace; `TABLE` is all of them."""

from __future__ import annotations

from kore_ls.api import (
    agent,
    event,
    history,
    message,
    permission,
    retention,
    rewind,
    search,
    session,
    session_list,
    store,
    store_backup,
    store_keys,
    transfer,
    turn,
)
from kore_ls.rpc.methods import PROTOCOL_VERSION as PROTOCOL_VERSION
from kore_ls.rpc.methods import MethodTable

TABLE = MethodTable.of(
    *(session, session_list, rewind, search, transfer, message, turn, history, permission, agent),
    *(store, store_backup, store_keys, retention, event),
)

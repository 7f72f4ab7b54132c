"""What the server claims before pygls is loaded is what pygls will do."""

from __future__ import annotations

from typing import Any

import pytest

from kore_ls.lsp.capabilities import asks_for_settings, capabilities
from kore_ls.lsp.server import KoreServer
from tests.wire_peer import Peer
from tests.wire_table import TABLE

CLIENTS: list[dict[str, Any]] = [
    {},
    {"general": {"positionEncodings": ["utf-32", "utf-8"]}},
    {"general": {"positionEncodings": ["utf-7"]}},
    {"general": {"positionEncodings": []}},
    {"general": {}, "workspace": {"workspaceFolders": True, "fileOperations": {"didCreate": True}}},
    {"textDocument": {"synchronization": {"willSave": True, "didSave": True}}},
]


@pytest.mark.parametrize("client", CLIENTS)
async def test_the_claim_is_what_pygls_would_say(client: dict[str, Any]) -> None:
    server = KoreServer(Peer().connection, "0")
    built = server.protocol.request("initialize", {"processId": None, "rootUri": None, "capabilities": client})
    ours = capabilities(client, TABLE, [], TABLE.commands)
    del ours["experimental"]
    ours["executeCommandProvider"]["commands"] = []
    sync = built["capabilities"]["textDocumentSync"]
    built["capabilities"]["textDocumentSync"] = {key: value for key, value in sync.items() if value or key == "save"}
    assert ours == built["capabilities"]


async def test_the_greeting_names_the_protocol_its_methods_events_and_commands() -> None:
    result = (await Peer().initialize())["result"]
    assert result["serverInfo"] == {"name": "kore-ls", "version": "0"}
    kore = result["capabilities"]["experimental"]["kore"]
    assert kore["version"] == 1 and kore["methods"] == list(TABLE) and "session.created" in kore["events"]
    commands = result["capabilities"]["executeCommandProvider"]["commands"]
    assert "kore.session.rename" in commands and "kore.test.secret" not in commands
    assert result["capabilities"]["workspace"]["workspaceFolders"] == {"supported": True, "changeNotifications": True}


@pytest.mark.parametrize(
    ("client", "asks"),
    [
        ({"workspace": {"configuration": True}}, True),
        ({"workspace": {"configuration": 1}}, False),
        ({}, False),
        (7, False),
    ],
)
def test_settings_are_asked_for_only_of_a_client_that_tells(client: Any, asks: bool) -> None:
    assert asks_for_settings(client) is asks

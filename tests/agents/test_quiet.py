"""The agent that does nothing."""

from __future__ import annotations

from kore_ls.agents.quiet import quiet_agent
from kore_ls.model.ids import SessionId
from kore_ls.model.mode import AgentMode
from kore_ls.model.session import SessionRecord


async def test_every_session_gets_its_own_quiet_agent() -> None:
    record = SessionRecord(id=SessionId("s"), name="n", agent_mode=AgentMode.BUILD, created_at=1, updated_at=1)
    one, two = quiet_agent(record), quiet_agent(record)
    assert one is not two
    await one.close()

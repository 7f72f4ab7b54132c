"""Why a tool could not do what it was asked: a text for the agent and the user, never for the log."""

from __future__ import annotations


class ToolProblem(Exception):
    """A tool call failed; its text is the tool's answer. It never leaves the toolbox."""

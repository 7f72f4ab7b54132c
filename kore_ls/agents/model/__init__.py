"""The agent that asks a model: the only room that knows pydantic-ai, which is loaded with the first prompt."""

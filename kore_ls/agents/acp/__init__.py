"""The agent that is another program, spoken to over the Agent Client Protocol: the only room that knows its SDK."""

"""What answers a session's turns: the agent interface and its factories. Knows neither the store nor the wire."""

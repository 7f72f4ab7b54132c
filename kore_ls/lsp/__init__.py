"""The language room: the only one that knows pygls and lsprotocol. Imports neither before a client has said hello."""

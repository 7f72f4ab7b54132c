"""JSON-RPC in LSP framing: frames, connection, method table, strict codec, serve loops. Knows no pygls, no sessions."""

"""The language room: the only one that knows pygls and lsprotocol, which are loaded when a client first needs them."""

"""Pure values: no I/O, nothing of ours but `errors`."""

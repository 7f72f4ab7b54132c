"""The command line: `kore-ls serve, chat, sessions, store, trust, doctor, reference`."""

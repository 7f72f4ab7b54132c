"""Sessions as documents: what goes out, what comes in, and what is only for reading. Nothing outside is trusted."""

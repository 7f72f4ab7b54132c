"""The tools that every agent can use, one file each. None of them decides whether it may run: the gate does."""

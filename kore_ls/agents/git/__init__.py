"""Git as it is met in a folder: what it runs, obeys, tracks and would change. Read from its files; nothing is run."""

"""`python -m tests.bench`: how fast and how small, beside what is measured in the same run on the same file system."""

"""Sessions as pages to read: Markdown and HTML, written piece by piece."""

"""Tests of the project itself: its layers, files, documents and versions."""

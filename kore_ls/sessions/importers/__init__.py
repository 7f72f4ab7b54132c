"""Readers of other tools' conversations, one file each, behind one interface."""

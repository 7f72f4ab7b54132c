"""The tests of Kore LS; the folders mirror the package."""

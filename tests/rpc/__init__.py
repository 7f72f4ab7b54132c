"""Tests of `kore_ls.rpc`."""

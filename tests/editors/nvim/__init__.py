"""The Neovim plugin in a headless Neovim, with a real server."""

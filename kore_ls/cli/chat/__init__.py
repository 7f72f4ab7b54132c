"""`kore-ls chat`: a terminal client of the server, which it starts as a child process and talks to over its pipes."""

"""How commands and external agents are confined: bubblewrap, else Landlock, else nothing, and honest about which."""

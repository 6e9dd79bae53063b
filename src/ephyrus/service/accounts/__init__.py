"""Users and what they may do: passwords, sessions, tokens, groups and login limits."""

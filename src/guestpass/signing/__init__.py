"""Who vouches: keys, share tokens, passes, passwords and bearer tokens."""

"""Who may do and see what: users, roles, grants, tokens, masks and the log of looks."""

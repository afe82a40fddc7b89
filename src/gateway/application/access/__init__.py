"""Access: users, passwords, sessions and access tokens."""

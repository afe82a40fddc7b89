"""People who sign in: registration, sessions, passwords and how often they may be tried."""

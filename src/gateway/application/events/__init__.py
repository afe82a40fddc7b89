"""Events: what has changed, for whoever wants to know."""

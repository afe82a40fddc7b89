"""Rate limits: how many requests a user, or an anonymous address, may make, counted over all processes."""

"""What the operating system gives: the clock and the randomness of identifiers."""

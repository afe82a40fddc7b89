"""How a command becomes durable: decided in a batch, written in one transaction, answered once per key."""

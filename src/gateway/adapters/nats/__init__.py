"""NATS JetStream as an event sink. Needs the extra `gateway[nats]`; imported only when it is used."""

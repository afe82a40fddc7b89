"""The operations of each resource: its bodies, its handlers, its declarations."""

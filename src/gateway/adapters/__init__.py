"""What plugs in at the edges: one folder per technology, one file per port. They do not know each other."""

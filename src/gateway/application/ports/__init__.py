"""Everything the application needs from outside, as Protocols."""

"""Time-based one-time codes with pyotp."""

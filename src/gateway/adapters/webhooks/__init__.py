"""Webhooks over HTTP: signed, and sent only to addresses that are allowed."""

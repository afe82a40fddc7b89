"""Clients that others' generators make from the served OpenAPI document, compiled and run against a real server."""

"""What you start: the command line and the ASGI application."""

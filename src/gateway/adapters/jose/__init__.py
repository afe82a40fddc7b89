"""Access tokens as JSON Web Tokens, made and checked with python-jose."""

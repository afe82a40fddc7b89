"""When a signing key is needed. What reads and makes keys is loaded then."""

from gateway.application.ports.tokens import AccessTokens
from gateway.bootstrap.on_demand import PROCESS_LIFETIME_SECONDS, ProcessTokens, TokensOnDemand
from gateway.settings.values import Settings


def names_key(settings: Settings) -> bool:
    """Whether the settings name a key or a secret, or need one that they do not name."""
    named = (
        settings.token_private_key,
        settings.token_private_key_file,
        settings.token_secret,
        settings.token_secret_file,
        settings.token_previous_public_keys,
        settings.token_previous_public_keys_file,
    )
    return settings.token_algorithm == "HS256" or any(named)  # noqa: S105 - the name of an algorithm.


def tokens_when_used(settings: Settings) -> AccessTokens:
    """As `keys.access_tokens`, but a key that the settings do not name is made, or missed, when it is first used.

    Raises:
        StartRefused: A key that the settings name is missing or cannot be used. Without one, methods raise it in
            production.
    """
    if names_key(settings):
        return _access_tokens(settings)
    return TokensOnDemand(lambda: _access_tokens(settings), lifetime_seconds=settings.token_lifetime_seconds)


def process_tokens() -> AccessTokens:
    """Tokens by a key that ends with this process. It is made when it is first used."""
    return ProcessTokens(_process_tokens, lifetime_seconds=PROCESS_LIFETIME_SECONDS)


def _access_tokens(settings: Settings) -> AccessTokens:
    from gateway.bootstrap.keys import access_tokens

    return access_tokens(settings)


def _process_tokens() -> AccessTokens:
    from gateway.bootstrap.keys import tokens_of_this_process

    return tokens_of_this_process()

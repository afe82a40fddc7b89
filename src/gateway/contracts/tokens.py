"""What every issuer of access tokens promises."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gateway.application.errors import TokenExpired, TokenInvalid
from gateway.application.ports.tokens import AccessClaims, AccessTokens

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
SECOND = timedelta(seconds=1)

# Adapters are asked the same questions, each through a subclass; a token port keeps nothing that one example could
# leave to the next.
_EXAMPLES = settings(suppress_health_check=[HealthCheck.differing_executors, HealthCheck.function_scoped_fixture])

_characters = st.one_of(st.sampled_from("AQgw-_.=+/ \n\0é\ud800"), st.characters())


@st.composite
def _edits(draw: st.DrawFn) -> list[tuple[float, int, str]]:
    """One to four edits: where (a part of the length), how many characters go, and what comes instead."""
    edit = st.tuples(
        st.floats(0, 1), st.sampled_from([0, 1, 1, 1, 2, 40]), st.one_of(st.just(""), _characters, st.text(_characters))
    )
    return draw(st.lists(edit, min_size=1, max_size=4))


def _issue(access_tokens: AccessTokens, *, now: datetime = NOW, number: int = 1) -> str:
    return access_tokens.issue(subject="usr_1", role="customer", token_id=f"tok_{number}", now=now)


class AccessTokensContract:
    """Subclass it, and give two fixtures: `access_tokens`, the port to judge; `strangers_tokens`, with other keys."""

    def test_a_token_says_what_it_was_issued_with(self, access_tokens: AccessTokens) -> None:
        """Times come back in whole seconds, in UTC."""
        token = _issue(access_tokens, now=NOW + timedelta(microseconds=999_999))
        assert access_tokens.verify(token, now=NOW + SECOND) == AccessClaims(
            subject="usr_1",
            role="customer",
            token_id="tok_1",  # noqa: S106 - an id, no password.
            issued_at=NOW,
            expires_at=NOW + timedelta(seconds=access_tokens.lifetime_seconds),
        )

    def test_a_token_is_good_from_the_moment_it_is_issued(self, access_tokens: AccessTokens) -> None:
        """A new token is valid at once."""
        moment = NOW + timedelta(microseconds=1)
        assert access_tokens.verify(_issue(access_tokens, now=moment), now=moment).subject == "usr_1"

    def test_a_token_is_good_until_its_last_moment_and_no_longer(self, access_tokens: AccessTokens) -> None:
        """Its end is no part of its life."""
        token = _issue(access_tokens)
        end = NOW + timedelta(seconds=access_tokens.lifetime_seconds)
        assert access_tokens.verify(token, now=end - timedelta(microseconds=1)).expires_at == end
        with pytest.raises(TokenExpired):
            access_tokens.verify(token, now=end)

    def test_a_token_that_was_verified_before_still_expires(self, access_tokens: AccessTokens) -> None:
        """No cache outlives the token."""
        token = _issue(access_tokens)
        for seconds in (0, 1, access_tokens.lifetime_seconds - 1):
            access_tokens.verify(token, now=NOW + timedelta(seconds=seconds))
        for seconds in (access_tokens.lifetime_seconds, access_tokens.lifetime_seconds + 1, 10**9):
            with pytest.raises(TokenExpired):
                access_tokens.verify(token, now=NOW + timedelta(seconds=seconds))

    def test_a_token_from_the_future_is_refused(self, access_tokens: AccessTokens) -> None:
        """Even if it has been good already, before the clock was set back."""
        token = _issue(access_tokens)
        with pytest.raises(TokenInvalid):
            access_tokens.verify(token, now=NOW - timedelta(hours=1))
        access_tokens.verify(token, now=NOW)
        with pytest.raises(TokenInvalid):
            access_tokens.verify(token, now=NOW - timedelta(hours=1))

    def test_the_time_zone_of_the_clock_makes_no_difference(self, access_tokens: AccessTokens) -> None:
        """A moment is a moment."""
        tokyo = NOW.astimezone(tz=datetime.strptime("+0900", "%z").tzinfo)
        assert access_tokens.verify(_issue(access_tokens, now=tokyo), now=tokyo).issued_at == NOW

    def test_a_strangers_token_is_refused(self, access_tokens: AccessTokens, strangers_tokens: AccessTokens) -> None:
        """Also once it has expired: what is not ours is not "expired"."""
        token = _issue(strangers_tokens)
        for seconds in (0, 10**9):
            with pytest.raises(TokenInvalid):
                access_tokens.verify(token, now=NOW + timedelta(seconds=seconds))

    @pytest.mark.parametrize(
        "text",
        ["", " ", ".", "..", "...", "a.b.c", "e30.e30.e30", "null", "\0", "é.é.é", "\ud800", "A" * 5000, "." * 100_000],
    )
    def test_text_that_is_no_token_is_refused(self, access_tokens: AccessTokens, text: str) -> None:
        """Whatever it is."""
        with pytest.raises(TokenInvalid):
            access_tokens.verify(text, now=NOW)

    def test_changing_any_one_character_makes_a_token_invalid(self, access_tokens: AccessTokens) -> None:
        """Also the last, whose lowest bits say nothing; also after the true token was verified."""
        token = _issue(access_tokens)
        access_tokens.verify(token, now=NOW)
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        for index, character in enumerate(token):
            neighbour = "A" if character == "." else alphabet[alphabet.index(character) ^ 1]
            with pytest.raises(TokenInvalid):
                access_tokens.verify(token[:index] + neighbour + token[index + 1 :], now=NOW)

    @pytest.mark.parametrize(
        "pattern", [" {}", "{} ", "{}\n", "{}=", "{}A", "{}.", "{}.{}", ".{}", "{}\0", "Bearer {}"]
    )
    def test_adding_to_a_token_makes_it_invalid(self, access_tokens: AccessTokens, pattern: str) -> None:
        """It has one spelling."""
        token = _issue(access_tokens)
        with pytest.raises(TokenInvalid):
            access_tokens.verify(pattern.format(token, token), now=NOW)

    def test_parts_of_two_tokens_make_no_third(self, access_tokens: AccessTokens) -> None:
        """A signature is for one text."""
        first = _issue(access_tokens, number=1).split(".")
        second = _issue(access_tokens, number=2).split(".")
        with pytest.raises(TokenInvalid):
            access_tokens.verify(".".join([*first[:-1], second[-1]]), now=NOW)

    @given(edits=_edits(), seconds=st.integers(-10, 2000))
    @_EXAMPLES
    def test_an_edited_token_is_refused_and_never_crashes(
        self, access_tokens: AccessTokens, edits: list[tuple[float, int, str]], seconds: int
    ) -> None:
        """Any text but the token is refused, in the words of the port."""
        token = edited = _issue(access_tokens)
        for place, length, instead in edits:
            index = int(place * len(edited))
            edited = edited[:index] + instead + edited[index + length :]
        assume(edited != token)
        with pytest.raises((TokenExpired, TokenInvalid)):
            access_tokens.verify(edited, now=NOW + timedelta(seconds=seconds))

    @given(text=st.text(_characters))
    @_EXAMPLES
    def test_any_text_is_refused_and_never_crashes(self, access_tokens: AccessTokens, text: str) -> None:
        """A token comes from a stranger."""
        with pytest.raises(TokenInvalid):
            access_tokens.verify(text, now=NOW)

    @given(seconds=st.lists(st.integers(-20, 1000), min_size=1))
    @_EXAMPLES
    def test_having_verified_a_token_changes_no_later_answer(
        self, access_tokens: AccessTokens, seconds: list[int]
    ) -> None:
        """However the clock jumps, the answer depends on the token and the time alone."""
        token = _issue(access_tokens)
        answers: dict[int, str] = {}
        for second in [*seconds, 0, *seconds]:
            try:
                answer = access_tokens.verify(token, now=NOW + timedelta(seconds=second)).subject
            except (TokenExpired, TokenInvalid) as refusal:
                answer = type(refusal).__name__
            assert answers.setdefault(second, answer) == answer

    def test_tokens_travel_in_a_header(self, access_tokens: AccessTokens) -> None:
        """Printable ASCII without spaces, 4 KiB at most."""
        token = _issue(access_tokens)
        assert token.isascii()
        assert token.isprintable()
        assert " " not in token
        assert len(token) <= 4096

    def test_the_key_set_is_json_and_holds_nothing_private(self, access_tokens: AccessTokens) -> None:
        """RFC 7518 §6: `d` and its like are private, `k` is a shared secret."""
        keys = json.loads(json.dumps(access_tokens.jwks()))["keys"]
        for key in keys:
            assert not {"d", "p", "q", "dp", "dq", "qi", "oth", "k"} & set(key)
            assert key["kty"] != "oct"
            assert key["kid"]

    def test_the_key_set_handed_out_cannot_change_the_keys(self, access_tokens: AccessTokens) -> None:
        """What a caller does to its copy is its own affair."""
        before = json.dumps(access_tokens.jwks())
        for key in access_tokens.jwks()["keys"]:
            key.clear()
        assert json.dumps(access_tokens.jwks()) == before

"""What every password hasher promises."""

import pytest

from gateway.application.ports.passwords import PasswordCheck, PasswordHasher

PASSWORD = "correct horse battery staple"  # noqa: S105 - the one that XKCD made public.
MATCHES = PasswordCheck(matches=True, outdated=False)
DOES_NOT_MATCH = PasswordCheck(matches=False, outdated=False)


class PasswordHasherContract:
    """Subclass it, and give a fixture `passwords` which returns the hasher to judge."""

    async def test_a_password_matches_its_hash(self, passwords: PasswordHasher) -> None:
        """What was hashed is recognised, and is not called outdated."""
        assert await passwords.verify(await passwords.hash(PASSWORD), PASSWORD) == MATCHES

    @pytest.mark.parametrize(
        "other", ["", "correct horse battery stapl", "Correct horse battery staple", PASSWORD + " ", PASSWORD + "\0"]
    )
    async def test_another_password_does_not_match(self, passwords: PasswordHasher, other: str) -> None:
        """Not even one that differs by a letter's case, a space or what comes after a NUL."""
        assert await passwords.verify(await passwords.hash(PASSWORD), other) == DOES_NOT_MATCH

    @pytest.mark.parametrize("password", ["x" * 1000, "a\0b", "пароль", "🔑🔑🔑", "\ud800", ""])
    async def test_any_text_is_a_password(self, passwords: PasswordHasher, password: str) -> None:
        """Every character counts up to the last: nothing is cut off, nothing crashes."""
        stored = await passwords.hash(password)
        assert await passwords.verify(stored, password) == MATCHES
        assert await passwords.verify(stored, password + "b") == DOES_NOT_MATCH

    async def test_spellings_that_unicode_calls_equal_are_one_password(self, passwords: PasswordHasher) -> None:
        """One keyboard sends é as one character, another as e with an accent."""
        assert await passwords.verify(await passwords.hash("caf\u00e9 au lait"), "cafe\u0301 au lait") == MATCHES

    async def test_the_same_password_never_gives_the_same_hash(self, passwords: PasswordHasher) -> None:
        """Each hash has a salt of its own."""
        assert await passwords.hash(PASSWORD) != await passwords.hash(PASSWORD)

    async def test_a_hash_is_ascii_and_does_not_hold_the_password(self, passwords: PasswordHasher) -> None:
        """It can be stored anywhere and tells nothing."""
        stored = await passwords.hash(PASSWORD)
        assert stored.isascii()
        assert stored.isprintable()
        assert PASSWORD not in stored

    async def test_nobody_has_no_password(self, passwords: PasswordHasher) -> None:
        """An unknown user gets the answer of a wrong password."""
        assert await passwords.verify(None, PASSWORD) == DOES_NOT_MATCH
        assert await passwords.verify(None, "") == DOES_NOT_MATCH

    @pytest.mark.parametrize(
        "broken", ["", "!", "$", "$$$$$", PASSWORD, "é", "\0", "$argon2id$", "$2b$12$", "x" * 5000]
    )
    async def test_a_broken_hash_matches_nothing(self, passwords: PasswordHasher, broken: str) -> None:
        """A row that was damaged is a closed executor, not a crash."""
        assert await passwords.verify(broken, PASSWORD) == DOES_NOT_MATCH

    async def test_half_a_hash_matches_nothing(self, passwords: PasswordHasher) -> None:
        """However much of it is left."""
        stored = await passwords.hash(PASSWORD)
        for length in range(0, len(stored), 7):
            assert await passwords.verify(stored[:length], PASSWORD) == DOES_NOT_MATCH

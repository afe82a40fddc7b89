"""Secrets that people make up are told from secrets that a machine draws."""

import base64
import random
import re
import secrets
import uuid
from collections.abc import Callable

import pytest

from gateway.adapters.jose.guessable import can_be_guessed
from gateway.adapters.jose.keys import KeyRefused, signing_key_from_secret

SECRETS = 300
"""Of each kind. An estimate takes 10 ms."""
ALPHABET = "abcdefghijklmnopqrstuvwxyz"
MADE_UP = [
    # Rows of a keyboard.
    "qwertyuiopasdfghjklzxcvbnm123456",
    "1234567890qwertyuiopasdfghjklzxcvbnm",
    "mnbvcxzlkjhgfdsapoiuytrewq0987654321",
    "!@#$%^&*()qwertyuiopasdfghjklzxcvbnm",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "1qaz2wsx3edc4rfv1qaz2wsx3edc4rfv",
    "zaq12wsxcde34rfvbgt56yhnmju78ik9",
    "qazwsxedcrfvtgbyhnujmikolp1234567890",
    "q1w2e3r4t5y6u7i8o9p0a1s2d3f4g5h6",
    "asdfghjklasdfghjklasdfghjklasdfghjkl",
    # Sequences.
    ALPHABET * 2,
    ALPHABET[::-1] * 2,
    f"{ALPHABET[::-1]}9876543210",
    f"{ALPHABET.upper()}0123456789",
    f"0123456789{ALPHABET.upper()}",
    f"{ALPHABET}{ALPHABET.upper()}",
    "acegikmoqsuwybdfhjlnprtvxzacegikmoqsuwybdfhjlnprtvxz",
    "a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6",
    "1a2b3c4d5e6f7g8h9i0j1k2l3m4n5o6p",
    "aaaabbbbccccddddeeeeffffgggghhhhiiiijjjj",
    "0123456789abcdef0123456789abcdef",
    "fedcba9876543210fedcba9876543210",
    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    "deadbeefcafebabedeadbeefcafebabe",
    "3.14159265358979323846264338327950288419716939937510",
    # Phrases, and the same with digits for letters.
    "the quick brown fox jumps over the lazy dog",
    "thequickbrownfoxjumpsoverthelazydog",
    "Th3Qu1ckBr0wnF0xJumps0verTheL4zyD0g!",
    "correct horse battery staple correct horse",
    "correct-horse-battery-staple-correct-horse",
    "CorrectHorseBatteryStapleCorrectHorse",
    "c0rr3ct h0r53 b4tt3ry 5t4pl3 c0rr3ct h0r53",
    "C0rr3ctH0rs3B4tt3rySt4pl3C0rr3ctH0rs3",
    "to be or not to be that is the question",
    "to be, or not to be: that is the question. Whether 'tis nobler in the mind to suffer",
    "T0 b3 0r n0t t0 b3, th4t 1s th3 qu3st10n!",
    "may the force be with you may the force be with you",
    "may the force be with you, always and forever",
    "lorem ipsum dolor sit amet consectetur adipiscing elit",
    "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt",
    "it was the best of times it was the worst of times it was the age of wisdom",
    "never gonna give you up never gonna let you down",
    "we hold these truths to be self-evident that all men are created equal",
    "supercalifragilisticexpialidocious and then some more",
    "In the beginning God created the heavens and the earth",
    "one two three four five six seven eight nine ten eleven twelve",
    "monday tuesday wednesday thursday friday saturday sunday",
    "mycompany-production-payments-signing-secret-2024",
    "thisisourproductionkeypleasedonotshareit2024",
    "Winter2024!Winter2024!Winter2024!Winter",
    "P@ssw0rdP@ssw0rdP@ssw0rdP@ssw0rd",
    "iloveyouiloveyouiloveyouiloveyou",
    "letmeinletmeinadminadminrootroot1234",
    "openssl rand -base64 32 openssl rand -base64 32",
]


@pytest.mark.parametrize("secret", MADE_UP)
def test_a_secret_that_is_made_up_is_refused(secret: str) -> None:
    with pytest.raises(KeyRefused, match=r"can be guessed\. Draw one with: openssl rand -base64 32"):
        signing_key_from_secret(secret)


@pytest.mark.parametrize(
    "form",
    [
        lambda drawn: drawn.hex(),
        lambda drawn: base64.b64encode(drawn).decode("ascii"),
        lambda drawn: base64.urlsafe_b64encode(drawn).decode("ascii").rstrip("="),
    ],
    ids=["openssl rand -hex 32", "openssl rand -base64 32", "secrets.token_urlsafe(32)"],
)
def test_secrets_drawn_at_random_are_taken(form: Callable[[bytes], str]) -> None:
    drawing = random.Random(7)  # noqa: S311 - the same secrets in each run.
    drawn = [form(drawing.randbytes(32)) for _ in range(SECRETS)]
    assert [secret for secret in drawn if can_be_guessed(secret)] == []


@pytest.mark.parametrize(
    "draw",
    [
        lambda: str(uuid.uuid4()),
        lambda: secrets.token_hex(16),
        lambda: secrets.token_urlsafe(24),
        lambda: secrets.token_hex(32).upper(),
        lambda: secrets.token_urlsafe(96),
        lambda: f"gateway-prod-{secrets.token_urlsafe(32)}",
        lambda: re.sub("(?<=[0-9a-f]{8})(?=.)", ":", secrets.token_hex(24)),
    ],
    ids=["UUID", "16 bytes", "24 bytes", "capitals", "96 bytes", "with a prefix", "in groups"],
)
def test_other_forms_of_random_secrets_are_taken(draw: Callable[[], str]) -> None:
    assert [secret for secret in (draw() for _ in range(50)) if can_be_guessed(secret)] == []

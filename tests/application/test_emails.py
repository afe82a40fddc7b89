"""An e-mail address has one canonical spelling, or is refused."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.application.emails import canonical_email
from gateway.domain.errors import InvalidInput

ONE_USER = {
    "ada@example.com": ("Ada@Example.COM", " ada@example.com\n", "\u00a0ada@example.com", "ada@\uff45xample.com"),
    "jos\u00e9@example.com": ("jose\u0301@example.com", "JOS\u00c9@example.com", "JOSE\u0301@example.com"),
    "\u1ec7@example.com": ("e\u0323\u0302@example.com", "e\u0302\u0323@example.com", "\u1ec6@example.com"),
    "ada@b\u00fccher.example": (
        "ada@xn--bcher-kva.example",
        "ADA@XN--BCHER-KVA.EXAMPLE",
        "ada@bu\u0308cher.example",
        "ada@B\u00dcCHER.example",
        "ada@b\u00fccher\u3002example",
    ),
    "ada+shop@example.test": ("Ada+Shop@example.test",),
    "\u043f\u043e\u0447\u0442\u0430@\u043f\u0440\u0438\u043c\u0435\u0440.\u0440\u0444": (
        "\u041f\u043e\u0447\u0442\u0430@xn--e1afmkfd.xn--p1ai",
    ),
}
REFUSED = {
    "nothing": "",
    "no domain": "ada",
    "two at signs": "a@b@example.com",
    "a space within": "a da@example.com",
    "a comma at the end": "x@y.com,",
    "a semicolon at the end": "x@y.com;",
    "two addresses": "ada@example.com,eve@example.com",
    "angle brackets": "<x@y.com>",
    "a display name": "Ada <x@y.com>",
    "quotes": '"ada"@example.com',
    "a dot at the end": "ada@example.com.",
    "two dots": "a..da@example.com",
    "an address of a machine": "ada@[192.0.2.1]",
    "a zero-width space": "a\u200bda@example.com",
    "a zero-width space in the domain": "ada@exam\u200bple.com",
    "a zero-width joiner": "a\u200dda@example.com",
    "a byte order mark": "\ufeffada@example.com",
    "a soft hyphen": "a\u00adda@example.com",
    "a word joiner": "ada\u2060@example.com",
    "a grapheme joiner": "a\u034fda@example.com",
    "a variation selector": "ada\ufe0f@example.com",
    "an invisible letter": "ada\u3164@example.com",
    "a right-to-left override": "ada\u202e@example.com",
    "a right-to-left override in front": "\u202emoc.elpmaxe@ada",
    "full-width letters": "\uff41da@example.com",
    "a ligature": "\ufb01@example.com",
    "a surrogate": "ada\ud800@example.com",
    "NUL": "a\0da@example.com",
    "a line break": "ada@example.com\r\nbcc: eve@example.com",
    "too many characters": "a" * 60 + "@" + ".".join(["b" * 60] * 4) + ".example",
}


@pytest.mark.parametrize(("canonical", "spellings"), ONE_USER.items(), ids=map(ascii, ONE_USER))
def test_all_spellings_of_an_address_are_one(canonical: str, spellings: tuple[str, ...]) -> None:
    for spelling in (canonical, *spellings):
        assert canonical_email(spelling) == canonical, ascii(spelling)


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_what_only_looks_like_an_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        canonical_email(text)
    assert [(error.field, error.code) for error in refused.value.errors] == [("email", "email_invalid")]


@pytest.mark.parametrize("value", [None, 5, b"ada@example.com", ["ada@example.com"]])
def test_what_is_no_text_is_no_address(value: object) -> None:
    with pytest.raises(InvalidInput):
        canonical_email(value)  # type: ignore[arg-type]  # Python's callers are not all checked.


@given(
    st.text(st.characters(exclude_characters="@"), min_size=1, max_size=8),
    st.sampled_from(["example.com", "b\u00fccher.example", "\u0130.example", "fa\u00df.example"]),
)
def test_a_canonical_address_is_its_own_and_normal_forms_make_no_difference(local: str, domain: str) -> None:
    def spelled(text: str) -> str | None:
        try:
            return canonical_email(text)
        except InvalidInput:
            return None

    canonical = spelled(f"{local}@{domain}")
    assert canonical is None or spelled(canonical) == canonical
    for form in ("NFC", "NFD"):
        assert spelled(unicodedata.normalize(form, f"{local}@{domain}")) == canonical

"""Under which spellings somebody who logs in is looked up."""

import contextlib

from hypothesis import example, given
from hypothesis import strategies as st

from gateway.application.access.spellings import spellings_of
from gateway.application.emails import canonical_email
from gateway.domain.errors import InvalidInput
from gateway.domain.user import normal_email

letters = st.text(st.sampled_from("aB9.@-_+\"' \\,;:<>()[]x\u00e9\u0301"), max_size=12)
addresses = st.builds("{}@{}.{}".format, letters, letters, letters) | letters | st.text(max_size=12)


@given(addresses)
@example("ada@xn--bcher-kva.example")
@example("ADA@XN--BCHER-KVA.EXAMPLE")
@example('"ada"@example.com')
@example("postmaster@example.com")
def test_an_address_is_looked_up_as_it_was_typed_and_in_its_canonical_spelling(email: str) -> None:
    expected = [normal_email(email)]
    with contextlib.suppress(InvalidInput):
        expected.append(canonical_email(email))
    assert spellings_of(email) == tuple(dict.fromkeys(expected))

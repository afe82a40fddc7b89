"""What every maker of identifiers promises."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gateway.application.ports.identifiers import Identifiers
from gateway.contracts.records import NOW

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
MICROSECOND = timedelta(microseconds=1)
DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
FORM = re.compile(rf"pay_[0-7][{DIGITS}]{{25}}")

# Adapters are asked the same questions, each through a subclass; one example leaves nothing to the next.
_EXAMPLES = settings(suppress_health_check=[HealthCheck.differing_executors, HealthCheck.function_scoped_fixture])
_moments = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - Hypothesis adds the zone.


class IdentifiersContract:
    """Subclass it, and give two fixtures: `identifiers`, the port to judge; `others`, as another process has it."""

    @_EXAMPLES
    @given(_moments)
    def test_an_identifier_is_of_exactly_the_millisecond_of_its_moment(
        self, identifiers: Identifiers, moment: datetime
    ) -> None:
        """The upper 48 of the 128 bits of a UUIDv7, written as TypeID writes them."""
        made = identifiers.of(moment)("pay")
        assert FORM.fullmatch(made)
        milliseconds = 0
        for character in made[4:14]:
            milliseconds = milliseconds * 32 + DIGITS.index(character)
        assert EPOCH + milliseconds * MILLISECOND <= moment < EPOCH + (milliseconds + 1) * MILLISECOND

    @_EXAMPLES
    @given(_moments, st.integers(1, 10**9))
    def test_identifiers_sort_by_their_moments_whichever_process_made_them(
        self, identifiers: Identifiers, others: Identifiers, moment: datetime, microseconds: int
    ) -> None:
        """To the microsecond, and whichever was made first."""
        earlier = moment - microseconds * MICROSECOND
        assume(earlier >= EPOCH)
        for one, other in ((identifiers, others), (others, identifiers), (identifiers, identifiers)):
            later_id, earlier_id = one.of(moment)("pay"), other.of(earlier)("pay")
            assert earlier_id < later_id

    def test_identifiers_of_one_moment_sort_in_the_order_of_their_making(self, identifiers: Identifiers) -> None:
        """Whatever is made between."""
        made: list[str] = []
        for number in range(100):
            new_id = identifiers.of(NOW)
            made += [new_id("pay") for _ in range(100)]
            identifiers.of(NOW + number * MICROSECOND)("pay")
            identifiers("key")
        assert all(earlier < later for earlier, later in pairwise(made))

    def test_no_two_identifiers_are_the_same(self, identifiers: Identifiers, others: Identifiers) -> None:
        """Not even those that two processes make of one moment."""
        makers = [each.of(NOW) for each in (identifiers, others) for _ in range(5)]
        assert len({new_id("pay") for new_id in makers for _ in range(5_000)}) == 50_000

    def test_threads_never_make_the_same_or_go_back(self, identifiers: Identifiers) -> None:
        """Also if they share what makes identifiers of a moment."""
        new_id = identifiers.of(NOW)

        def make(size: int) -> list[str]:
            return [new_id("pay") for _ in range(size)]

        with ThreadPoolExecutor(4) as pool:
            made = list(pool.map(make, [5_000] * 4))
        assert len({each for part in made for each in part}) == 20_000
        assert all(earlier < later for part in made for earlier, later in pairwise(part))

    def test_identifiers_without_a_moment_are_of_the_present(self, identifiers: Identifiers) -> None:
        """As the ids of the moments before and after show."""
        before = datetime.now(UTC)
        made = identifiers("pay")
        after = datetime.now(UTC)
        assert identifiers.of(before - MILLISECOND)("pay") < made < identifiers.of(after + MILLISECOND)("pay")

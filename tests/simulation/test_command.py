"""`gateway simulate`: a sentence when all is well, and otherwise all that it takes to see it again."""

import re

import pytest
from click.testing import CliRunner, Result

from gateway.entrypoints.cli import main
from simulation.planted_bugs import an_event_is_missing


@pytest.fixture(autouse=True)
def garbage_collected_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tuning is for a process of its own."""
    monkeypatch.setattr("gateway.entrypoints.simulate.collect_garbage_seldom", lambda: None)


def simulate(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["simulate", *arguments], catch_exceptions=False)


def test_it_tells_that_all_is_well() -> None:
    result = simulate("--seed", "7", "--operations", "300")
    assert result.exit_code == 0
    assert re.match(
        r"Seed 7: 300 operations of \d+ commands met 0 faults, and everything is as it must be", result.output
    )


def test_without_a_seed_it_takes_one_and_tells_it() -> None:
    seeds = {re.findall(r"Seed (\d+)", simulate("--operations", "1").output)[0] for _ in range(2)}
    assert len(seeds) == 2


def test_it_tells_what_is_broken_and_how_to_see_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    an_event_is_missing(monkeypatch)
    result = simulate("--seed", "8", "--operations", "5000", "--faults")
    assert result.exit_code == 1
    assert "RefundPayment(" in result.output
    assert re.search(r"^events +Written are \['payment.refunded'\]", result.output, re.MULTILINE)
    [(step, arguments)] = re.findall(
        r"Seed 8 breaks something at step (\d+)\. To see it: gateway simulate (.*)", result.output
    )
    assert arguments == f"--seed 8 --operations {step} --faults"
    assert simulate(*arguments.split()).output == result.output

"""A seed decides a whole history; a history meets everything that can happen, and is over in no time."""

import os
import subprocess
import sys

import pytest

from gateway.adapters.memory import memory_storage
from gateway.application.engine.outcome_codec import refusals
from gateway.simulation.report import Report
from gateway.simulation.run import simulate
from simulation.conftest import history
from simulation.planted_bugs import holds_outlive_their_payment

STEPS = 2_000

NOT_MET = {
    "balance_overflow": "counters that high take millions of the largest deposits",
    "idempotency_in_progress": "users ask again instead of taking it for an answer",
    "unknown_currency": "refused before it is a command",
    "refund_not_found": "a query's",
}
"""Refusals of commands that no history comes to."""


@pytest.mark.parametrize("seed", range(100, 103))
def test_a_history_without_faults_is_sound(seed: int) -> None:
    report = history(seed, steps=STEPS, faulty=False)
    assert report.failure is None
    assert report.faults == 0


def test_a_seed_decides_what_is_asked_and_answered() -> None:
    first, again, other = (history(seed, steps=STEPS) for seed in (1, 1, 2))
    assert first == again
    assert first.trace != other.trace


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_a_seed_decides_the_same_in_every_process(hash_seed: str) -> None:
    """Where strings have other hashes, and so sets another order."""
    expected = history(1, steps=STEPS)
    command = [sys.executable, "-m", "gateway", "simulate", "--seed", "1", "--operations", str(STEPS), "--faults"]
    run = subprocess.run(
        command, env=os.environ | {"PYTHONHASHSEED": hash_seed}, capture_output=True, text=True, check=True
    )
    assert expected.trace in run.stdout


def test_a_failure_comes_again_at_the_same_step(monkeypatch: pytest.MonkeyPatch) -> None:
    holds_outlive_their_payment(monkeypatch)
    first = history(1, steps=STEPS)
    assert first.failure is not None
    again = history(1, steps=first.failure.step)
    assert again == first


def test_a_history_meets_every_refusal(sound_report: Report) -> None:
    of_commands = {code for code, kind in refusals().items() if kind.__module__ == "gateway.domain.errors"}
    assert of_commands - sound_report.outcomes.keys() == set(NOT_MET)


def test_a_history_meets_faults_and_asks_again(sound_report: Report) -> None:
    assert sound_report.faults > sound_report.steps / 10
    assert sound_report.outcomes["the same answer again"] > sound_report.steps / 20


async def test_progress_is_told() -> None:
    told: list[int] = []
    await simulate(memory_storage(), seed=1, steps=3, faulty=False, on_progress=told.append)
    assert told == [1, 2, 3]

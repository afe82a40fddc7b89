"""The guide to the API and the page about webhooks, as pasted into a shell from the first example to the last."""

from pathlib import Path
from typing import Any

from support.pasting import blocks, paste, values
from support.servers import Installation


def gist(answer: dict[str, Any]) -> str:
    """What an answer of the guide is about, in a word or two."""
    if "code" in answer:
        return str(answer["code"])
    if answer["object"] == "batch":
        return f"batch {[result['status'] for result in answer['results']]}"
    return " ".join(str(answer[name]) for name in ("object", "status", "type", "amount") if name in answer)


async def test_the_examples_of_the_guide_work_as_pasted_one_after_the_other(tmp_path: Path) -> None:
    gateway = Installation(tmp_path)
    async with gateway.serving() as server:
        said = await paste("".join(blocks("docs/api.md", "sh")), gateway, server)

    lines = [line for line in said.splitlines() if line.startswith("{")]
    assert [gist(answer) for line in lines for answer in values(line)] == [
        "user active",
        "user active",
        "list",
        "scope_missing",
        "api_key_invalid",
        "member active",
        "list",
        "not_a_member",
        "deposit 100000",
        "payment captured 1050",
        "payment partially_captured 3000",
        "payment captured 3000",
        "payment_state_invalid",
        "payment captured 1500",
        "refund succeeded 400",
        "refund succeeded 1100",
        "list",
        "batch [201, 402]",
        "batch_aborted",
        "payout 500",
        "transaction posted reversal 700",
        "fee_schedule",
        "refund succeeded 500",
        "payment captured 1000",
        "ledger_invariants",
        "rate",
        "deposit 100000",
        "quote",
        "payment captured 1050",
        "refund succeeded 525",
        "list",
        "list",
        "list",
        "webhook_endpoint",
        "webhook_test",
    ]
    assert ": open" in said.splitlines()
    assert any(line.startswith("data: ") for line in said.splitlines())
    await gateway.verify()


async def test_the_examples_of_the_page_about_webhooks_go_on_from_the_sign_in_of_the_guide(tmp_path: Path) -> None:
    sign_in = blocks("docs/api.md", "sh")[:2]
    gateway = Installation(tmp_path)
    async with gateway.serving() as server:
        said = await paste("".join([*sign_in, *blocks("docs/webhooks.md", "sh")]), gateway, server)

    answers = [answer for line in said.splitlines() for answer in values(line)]
    assert [answer["object"] for answer in answers] == [
        "user",
        "user",
        "webhook_endpoint",
        "webhook_test",
        "list",
        "redelivery",
        "webhook_replay",
        "webhook_endpoint",
    ]
    created, rotated = answers[2], answers[-1]
    assert created["id"] == rotated["id"]
    assert created["secret"] != rotated["secret"]

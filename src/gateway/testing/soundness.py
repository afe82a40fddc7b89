"""Whether the books are right, as `gateway verify` checks them."""

from gateway.application.gateway import Gateway
from gateway.application.verification.verify import verify


async def assert_sound(gateway: Gateway) -> None:
    """Check every invariant of the ledger: balances, transfers, payments, events.

    Raises:
        AssertionError: A row breaks a rule; the message names up to 100 of them.
        StorageUnavailable: The storage is away.
    """
    async with gateway.storage.audit() as audit:
        findings = await verify(audit)
    if not findings.ok:
        named = [f"{finding.rule} of {finding.subject}: {finding.detail}" for finding in findings.named]
        raise AssertionError("\n".join([f"The ledger is not sound: {findings.count} findings.", *named]))

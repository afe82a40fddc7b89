"""Customers whom a merchant manages as rows."""

from gateway.adapters.sql.rows.values import Values
from gateway.adapters.sql.types import Found
from gateway.domain.customer import Customer, CustomerInvitation


def customer_values(customer: Customer) -> Values:
    """The row of a customer."""
    invitation = customer.invitation
    return (
        customer.id,
        customer.merchant_id,
        customer.name,
        customer.email,
        customer.external_id,
        customer.created_at,
        customer.version,
        *((None, None) if invitation is None else (invitation.secret_hash, invitation.expires_at)),
        customer.joined_at,
    )


def to_customer(row: Found) -> Customer:
    """The customer of a row."""
    return Customer(
        id=row[0],
        merchant_id=row[1],
        name=row[2],
        email=row[3],
        external_id=row[4],
        created_at=row[5],
        version=row[6],
        invitation=None if row[7] is None else CustomerInvitation(secret_hash=bytes(row[7]), expires_at=row[8]),
        joined_at=row[9],
    )

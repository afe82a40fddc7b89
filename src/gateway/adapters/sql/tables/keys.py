"""Unique keys."""

from typing import Final

KEYS_TAKEN: Final = {
    "users_pkey": "users.id",
    "users_email_key": "users.email",
    "accounts_owner_id_currency_kind_key": "accounts.owner_id, accounts.currency, accounts.kind",
    "payments_reference_key": "payments.merchant_id, payments.reference, payments.reference_held_by",
    "payments_quote_id_key": "payments.quote_id",
    "transfers_reverses_key": "transfers.reverses",
    "customers_merchant_id_external_id_key": "customers.merchant_id, customers.external_id",
    "payment_counters_pkey": "payment_counters.id",
    "answers_pkey": "answers.owner_id, answers.key",
}
"""The unique keys that two batches may both want, by their names in Postgres, and as SQLite words them."""

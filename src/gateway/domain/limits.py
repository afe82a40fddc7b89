"""How long texts may be, and how many there may be of something: alike over HTTP, in Python and on the command line.

Lengths are counted in characters. Also the bounds of years, and of durations that clients choose. Bounds of amounts and
rates are in `money.py` and `rate.py`.
"""

from typing import Final

ID_LENGTH_MAX: Final = 64
IDEMPOTENCY_KEY_LENGTH_MAX: Final = 255
REFERENCE_LENGTH_MAX: Final = 64
DESCRIPTION_LENGTH_MAX: Final = 500
REASON_LENGTH_MAX: Final = 500
NAME_LENGTH_MAX: Final = 200
EMAIL_LENGTH_MAX: Final = 254  # RFC 5321, 4.5.3.1.3
EXTERNAL_ID_LENGTH_MAX: Final = 200
CUSTOMER_INVITATION_SECONDS_DEFAULT: Final = 604_800
CUSTOMER_INVITATION_SECONDS_MIN: Final = 60
CUSTOMER_INVITATION_SECONDS_MAX: Final = 2_592_000
CUSTOMER_INVITATION_TOKEN_LENGTH_MAX: Final = 128
PASSWORD_LENGTH_MIN: Final = 8
PASSWORD_LENGTH_MAX: Final = 128
TYPED_PASSWORD_LENGTH_MAX: Final = 1024
"""The longest password that a login accepts. Above `PASSWORD_LENGTH_MAX` it is wrong, not malformed."""
REFRESH_TOKEN_LENGTH_MAX: Final = 256
TYPED_CODE_LENGTH_MAX: Final = 64
"""The longest code of a second factor that is looked at."""
SECOND_FACTOR_SECRET_LENGTH_MAX: Final = 128
ADDRESS_LENGTH_MAX: Final = 255
"""The length of the address that a login comes from: IPv4, IPv6, or a name."""
REQUEST_ID_LENGTH_MAX: Final = 64
PASSWORD_HASH_LENGTH_MAX: Final = 1024

METADATA_KEYS_MAX: Final = 50
METADATA_KEY_LENGTH_MAX: Final = 40
METADATA_VALUE_LENGTH_MAX: Final = 500

LIST_LIMIT_DEFAULT: Final = 20
LIST_LIMIT_MAX: Final = 100
"""The number of records in a page of a list."""

WEBHOOK_ENDPOINTS_PER_OWNER_MAX: Final = 16
WEBHOOK_URL_LENGTH_MAX: Final = 2_048
EVENT_FILTERS_MAX: Final = 32
EVENT_FILTER_LENGTH_MAX: Final = 64
WEBHOOK_SECRET_BYTES_MIN: Final = 24
WEBHOOK_SECRET_BYTES_MAX: Final = 64

API_KEYS_PER_OWNER_MAX: Final = 100
"""The number of an owner's API keys, with those that ended in the last `API_KEY_ENDED_SECONDS`."""
API_KEY_NAME_LENGTH_MAX: Final = 100
API_KEY_DAYS_MAX: Final = 3_660
"""The longest time until an API key expires, unless it has no expiry."""
API_KEY_OLD_SECONDS_MAX: Final = 86_400
"""How long an API key is accepted after its rotation, at most."""
API_KEY_REQUESTS_MAX: Final = 1_000_000
"""The largest limit that an API key has for its own requests in a minute."""
API_KEY_ENDED_SECONDS: Final = 86_400
"""How long an API key that has ended is shown at least. Later it makes room for a new one."""

MEMBERS_PER_MERCHANT_MAX: Final = 100
"""The number of a merchant's members and invitations, with those removed in the last `MEMBER_REMOVED_SECONDS`."""
MEMBER_REMOVED_SECONDS: Final = 86_400
"""How long a removed member counts. Later they make room for a new one."""
INVITATION_SECONDS: Final = 604_800
"""How long an invitation can be accepted."""
INVITATION_TOKEN_LENGTH_MAX: Final = 256

EVENTS_PER_READ_MAX: Final = 1_000
EVENTS_DAYS_DEFAULT: Final = 90
EVENTS_DAYS_MIN: Final = 1
ANSWERS_DAYS_DEFAULT: Final = 7
ANSWERS_DAYS_MIN: Final = 7
"""How long answers to idempotency keys are stored at least."""
AUDIT_DAYS_DEFAULT: Final = 730
"""How long records of the audit log are stored."""
POSITION_MAX: Final = 2**63 - 1
"""The largest position of the event feed."""

YEAR_MIN: Final = 1970
YEAR_MAX: Final = 9998
"""The first and the last year of a time: at the ends of Python's calendar, conversion to another time zone fails."""

CAPTURES_MAX: Final = 50
REFUNDS_MAX: Final = 100

EXPIRES_IN_SECONDS_DEFAULT: Final = 604_800
EXPIRES_IN_SECONDS_MIN: Final = 60
EXPIRES_IN_SECONDS_MAX: Final = 2_678_400

RISK_LIMITS_MAX: Final = 32
RISK_WINDOWS_MAX: Final = 8
"""The lengths of time over which rules of risk count payments. Each costs up to 61 buckets in the row of a customer."""
RISK_WINDOW_MINUTES_MAX: Final = 44_640
"""The longest such time: 31 days."""
RISK_COUNT_MAX: Final = 1_000_000
RISK_SUM_MINOR_MAX: Final = 10**15
RISK_RULE_LENGTH_MAX: Final = 64
"""The length of the name of a rule."""
REVIEW_SECONDS_DEFAULT: Final = 86_400
"""How long a payment waits for its review."""

QUOTE_SECONDS_DEFAULT: Final = 60
QUOTE_SECONDS_MIN: Final = 1
QUOTE_SECONDS_MAX: Final = 3_600
"""A quote lets its customer wait for a better rate: the longer it is valid, the more it costs the exchange."""
QUOTE_REFUND_SECONDS_MAX: Final = 1_000_000_000
"""The longest time in which the payment of a quote can be refunded: 31 years."""

"""Tables of events and of answers to idempotency keys."""

from typing import Final

from sqlalchemy import CheckConstraint, Column, Sequence, UniqueConstraint

from gateway.adapters.sql.tables.base import integers, key, metadata, table, text
from gateway.adapters.sql.types import BYTES, INTEGER, MOMENT

events: Final = table(
    "events",
    key("id"),
    text("type"),
    text("object_id"),
    *integers("sequence"),
    text("customer_id", nullable=True),
    text("merchant_id", nullable=True),
    Column("created_at", MOMENT, nullable=False),
    text("data"),
    # Which row of `event_batches` the event belongs to, and its place there, from 0.
    *integers("batch_id", "batch_index"),
)

# The events of one transaction, and where they stand in the feed. Events have no index of their batch: the
# events of a batch are found between two ids, which belong to nearly no other batch.
event_batches: Final = table(
    "event_batches",
    Column("first_position", INTEGER, primary_key=True),
    *integers("batch_id"),
    text("first_event_id"),
    text("last_event_id"),
    *integers("size"),
    UniqueConstraint("batch_id", name="event_batches_batch_id_key"),
    CheckConstraint("first_position >= 1 AND size >= 1", name="event_batches_positions_check"),
)

# Batches that were committed and have no position yet (docs/decisions/0023). Rows do not stay, and are read without an
# index. Empty on SQLite, where transactions come one after the other and number their own batches.
event_batch_ids: Final = Sequence("event_batch_ids", metadata=metadata)

event_batches_unnumbered: Final = table(
    "event_batches_unnumbered",
    *integers("batch_id"),
    text("first_event_id"),
    text("last_event_id"),
    *integers("size"),
    # Vacuumed after so many rows, however many there were once: reading the table takes as long as its dead rows.
    postgresql_with={"autovacuum_vacuum_scale_factor": 0, "autovacuum_vacuum_threshold": 1000},
)

# A block of consecutive positions, with a Bloom filter of the parties, objects and types of its events
# (docs/decisions/0026). Blocks are added long after the events were committed; no payment writes to this table.
event_index: Final = table(
    "event_index",
    Column("first_position", INTEGER, primary_key=True),
    *integers("last_position"),
    Column("first_created_at", MOMENT, nullable=False),
    Column("last_created_at", MOMENT, nullable=False),
    Column("keys", BYTES, nullable=False),
    CheckConstraint("first_position >= 1 AND last_position >= first_position", name="event_index_positions_check"),
)

# How far old rows were deleted, by kind: `events`, `answers`, `quotes`, `audit`. Who deletes rows of a kind locks its
# row.
retention: Final = table(
    "retention",
    key("name"),
    # The last position of deleted events; the last id of quotes that was looked at; how far the pass through the
    # answers has come, empty between two passes; the position and the hash of the last deleted link of the audit log.
    text("deleted_until"),
    # Older rows may be missing. Of answers, no older one is left.
    Column("kept_since", MOMENT, nullable=False),
)

answers: Final = table(
    "answers",
    key("owner_id"),
    key("key"),
    Column("fingerprint", BYTES, nullable=False),
    # The data of the event, if there is one, stands right behind it: most of an answer is in its event already.
    Column("body", BYTES, nullable=False),
    Column("created_at", MOMENT, nullable=False),
    text("event_id", nullable=True),
)

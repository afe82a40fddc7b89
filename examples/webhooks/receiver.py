"""A receiver of webhooks: verifies each one, handles each event once, and keeps the newest state of each object.

pip install standardwebhooks
WEBHOOK_SECRET=whsec_... PORT=9000 python receiver.py
"""

import json
import os
import sqlite3
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

BODY_BYTES_MAX = 1_000_000
WEBHOOK = Webhook(os.environ["WEBHOOK_SECRET"])
DATABASE = os.environ.get("DATABASE", "receiver.sqlite3")
TABLES = """
CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS objects (id TEXT PRIMARY KEY, sequence INTEGER NOT NULL, data TEXT NOT NULL);
"""


class Receiver(BaseHTTPRequestHandler):
    """Answers a webhook."""

    def do_POST(self) -> None:
        """Answer 204 when the event is stored. Any other status: the gateway sends the event again later."""
        length = int(self.headers.get("Content-Length", "0"))
        if length > BODY_BYTES_MAX:
            self.answer(413)
            return
        body = self.rfile.read(length)
        try:
            WEBHOOK.verify(body, dict(self.headers), json_parse=False)
        except (WebhookVerificationError, ValueError):  # A malformed header is a `ValueError`.
            self.answer(400)
            return
        event = json.loads(body)
        if handle(event):
            print(event["type"], event["data"]["object"]["id"], flush=True)
        self.answer(204)

    def answer(self, status: int) -> None:
        """Send a status without a body."""
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Log no requests."""


def handle(event: dict[str, Any]) -> bool:
    """Store the event and the state of its object in one transaction. False: the event had been stored before."""
    thing = event["data"]["object"]
    database = sqlite3.connect(DATABASE)
    try:
        with database:
            is_new = database.execute("INSERT OR IGNORE INTO events VALUES (?)", [event["id"]]).rowcount == 1
            if is_new:
                database.execute(
                    "INSERT INTO objects VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE"
                    " SET sequence = excluded.sequence, data = excluded.data WHERE excluded.sequence > sequence",
                    [thing["id"], event["sequence"], json.dumps(thing)],
                )
            return is_new
    finally:
        database.close()


if __name__ == "__main__":
    with sqlite3.connect(DATABASE) as connection:
        connection.executescript(TABLES)
    ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "9000"))), Receiver).serve_forever()

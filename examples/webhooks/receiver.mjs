// A receiver of webhooks: verifies each one, and handles each event once. It needs nothing but Node.
//
// WEBHOOK_SECRET=whsec_... PORT=9000 node receiver.mjs

import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const { WEBHOOK_SECRET = "", PORT = "9000" } = process.env;
const KEY = Buffer.from(WEBHOOK_SECRET.replace(/^whsec_/, ""), "base64");
if (KEY.length < 24) throw new Error("WEBHOOK_SECRET is not the secret of an endpoint: whsec_…");
const TOLERANCE_SECONDS = 300;
const BODY_BYTES_MAX = 1_000_000;

// Whether the gateway has sent these bytes, at most five minutes ago. Several signatures: one for each secret.
function isGenuine(body, headers) {
  const { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures = "" } = headers;
  if (!(Math.abs(Date.now() / 1000 - Number(timestamp)) <= TOLERANCE_SECONDS)) return false;
  const expected = createHmac("sha256", KEY).update(`${id}.${timestamp}.`).update(body).digest();
  return signatures.split(" ").some((signature) => {
    const [version, text = ""] = signature.split(",");
    const given = Buffer.from(text, "base64");
    return version === "v1" && given.length === expected.length && timingSafeEqual(given, expected);
  });
}

// Keep both in your database, and change them in the transaction of your own work.
const handled = new Set();
const sequences = new Map();

function handle(event) {
  if (handled.has(event.id)) return;
  handled.add(event.id);
  const { id } = event.data.object;
  if (event.sequence < (sequences.get(id) ?? 0)) return;
  sequences.set(id, event.sequence);
  console.log(event.type, id);
}

createServer(async (request, response) => {
  const chunks = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > BODY_BYTES_MAX) return response.writeHead(413, { connection: "close" }).end();
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks); // The bytes as they came: JSON that is written again has another signature.
  if (request.method !== "POST" || !isGenuine(body, request.headers)) return response.writeHead(400).end();
  handle(JSON.parse(body));
  response.writeHead(204).end();
}).listen(Number(PORT), "127.0.0.1");

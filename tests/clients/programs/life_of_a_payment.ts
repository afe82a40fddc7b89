// The life of a payment through a client that openapi-typescript generates from the served document.
//
// Usage: node life_of_a_payment.ts GATEWAY_URL NEWER_GATEWAY_URL

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import createClient, { type Client } from "openapi-fetch";
import type { components, paths } from "./schema.d.ts";

type Payment = components["schemas"]["Payment"];
type Gateway = Client<paths>;

const [url = "", newerUrl = ""] = process.argv.slice(2);
const password = "a long passphrase";

function idempotencyKey() {
  return { "Idempotency-Key": randomUUID() };
}

async function signedIn(role: "customer" | "merchant", baseUrl = url) {
  const anyone = createClient<paths>({ baseUrl });
  const email = `${randomUUID()}@example.com`;
  const registered = await anyone.POST("/users/register", { body: { email, password, role } });
  assert(registered.data, JSON.stringify(registered.error));
  const [account] = registered.data.accounts;
  assert(account);
  const login = await anyone.POST("/users/login", { body: { email, password } });
  assert(login.data, JSON.stringify(login.error));
  return { user: registered.data, account, email, gateway: await withToken(login.data.access_token, baseUrl) };
}

async function withToken(token: string, baseUrl: string): Promise<Gateway> {
  return createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${token}` } });
}

const merchant = await signedIn("merchant");
const customer = await signedIn("customer");

const deposit = await customer.gateway.POST("/deposits", {
  params: { header: idempotencyKey() },
  body: { account_id: customer.account.id, amount: 100_000, currency: "USD" },
});
assert(deposit.data, JSON.stringify(deposit.error));

async function pay(amount: number, capture?: "automatic" | "manual") {
  return customer.gateway.POST("/payments", {
    params: { header: idempotencyKey() },
    body: { merchant_id: merchant.user.id, amount, currency: "USD", ...(capture ? { capture } : {}) },
  });
}

const paid = await pay(1_050);
assert(paid.data, JSON.stringify(paid.error));
assert.equal(paid.data.status, "captured");

const held = await pay(2_000, "manual");
assert(held.data, JSON.stringify(held.error));
assert.equal(held.data.status, "authorized");

const captured = await merchant.gateway.POST("/payments/{payment_id}/capture", {
  params: { path: { payment_id: held.data.id }, header: idempotencyKey() },
  body: { amount: 1_500 },
});
assert(captured.data, JSON.stringify(captured.error));
assert.equal(captured.data.amount_captured, 1_500);

const refund = await merchant.gateway.POST("/payments/{payment_id}/refunds", {
  params: { path: { payment_id: held.data.id }, header: idempotencyKey() },
  body: { amount: 500 },
});
assert(refund.data, JSON.stringify(refund.error));

const refused = await pay(9_000_000);
assert.equal(refused.response.status, 402);
assert.equal(refused.error?.code, "insufficient_funds");

// Every page once, and nothing twice.
const seen: Payment[] = [];
let cursor: string | undefined;
do {
  const page = await customer.gateway.GET("/payments", {
    params: { query: { limit: 2, ...(cursor ? { cursor } : {}) } },
  });
  assert(page.data, JSON.stringify(page.error));
  seen.push(...page.data.data);
  cursor = page.data.next_cursor ?? undefined;
} while (cursor);
assert.deepEqual(seen.map((payment) => payment.amount), [9_000_000, 2_000, 1_050]);
assert.deepEqual(seen.map((payment) => payment.amount_refunded), [0, 500, 0]);

// A gateway that is newer than this client answers with a status and a code that the document does not name.
const newer = createClient<paths>({ baseUrl: newerUrl });
const later = await newer.POST("/users/login", { body: { email: customer.email, password } });
assert(later.data, JSON.stringify(later.error));
const newerGateway = await withToken(later.data.access_token, newerUrl);
const unknownStatus = await newerGateway.GET("/payments/{payment_id}", {
  params: { path: { payment_id: paid.data.id } },
});
assert.equal(unknownStatus.data?.status, "a_status_of_tomorrow");
const unknownCode = await newerGateway.GET("/payments/{payment_id}", { params: { path: { payment_id: "pay_none" } } });
assert.equal(unknownCode.error?.code, "a_code_of_tomorrow");

console.log("TypeScript: registered, deposited, paid, held, captured, refunded, paged, and was refused.");

// Every example of the served document, sent as the page at /docs sends it: all of them work, one after the other.
//
// Usage: node try_it_out.mjs GATEWAY_URL EXAMPLES_JS OPERATOR_EMAIL OPERATOR_PASSWORD

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { createRequire } from "node:module";

const [url, script, operatorEmail, operatorPassword] = process.argv.slice(2);
const { Examples } = createRequire(import.meta.url)(script);

const document = await (await fetch(`${url}/openapi.json`)).json();
const operations = new Map(
  Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => [operation.operationId, { path, method, ...operation }]),
  ),
);
let token;
const examples = new Examples((accessToken) => { token = accessToken; });
const tried = new Set();

// What Swagger UI sends when "Execute" is pressed: the examples of the path, of headers, and of the body.
async function tryOut(step, changes = {}) {
  const [name, exampleName] = step.split(":");
  const { path, method, parameters = [], requestBody } = operations.get(name);
  const content = requestBody?.content["application/json"];
  const example = exampleName ? content.examples[exampleName].value : (content?.example ?? Object.values(content?.examples ?? {})[0]?.value);
  const body = example && { ...example, ...changes };
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  let filled = path;
  for (const parameter of parameters) {
    if (parameter.in === "header" && parameter.example !== undefined) headers[parameter.name] = parameter.example;
    if (parameter.in === "path") filled = filled.replace(`{${parameter.name}}`, parameter.example);
  }
  if (body) headers["Content-Type"] = "application/json";
  const request = examples.request({ url: url + filled, headers, body: body && JSON.stringify(body) });
  const answer = await fetch(request.url, { method: method.toUpperCase(), headers: request.headers, body: request.body });
  if (answer.headers.get("content-type")?.startsWith("text/event-stream")) {
    assert.equal(answer.status, 200, step);
    await answer.body.cancel();  // A stream does not end by itself.
    tried.add(name);
    return;
  }
  const text = await answer.text();
  assert(answer.status < 300, `${step}: ${answer.status} ${text}`);
  const shown = text && JSON.parse(text);
  examples.response({ status: answer.status, body: shown });
  tried.add(name);
  return shown;
}

// The code of an authenticator application (RFC 6238).
function codeOf(secret) {
  const bits = [...secret].map((letter) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const hash = createHmac("sha1", key).update(step).digest();
  const number = hash.readUInt32BE(hash.at(-1) & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, "0");
}

async function secondFactor() {
  const { secret } = await tryOut("enrolSecondFactor");
  const { recovery_codes: [code] } = await tryOut("confirmSecondFactor", { code: codeOf(secret) });
  await tryOut("disableSecondFactor", { code });
}

async function operatorLogsIn() {
  const body = JSON.stringify({ email: operatorEmail, password: operatorPassword });
  const headers = { "Content-Type": "application/json" };
  token = (await (await fetch(`${url}/users/login`, { method: "POST", headers, body })).json()).access_token;
}

const customerLogsIn = "logIn:customer";
const merchantLogsIn = "logIn:merchant";
const steps = [
  "getLiveness", "getReadiness", "getKeySet",
  "register:merchant", "register:customer", customerLogsIn, "getMe", "listAccounts", "getAccount", "makeDeposit",
  "createPayment:payment", "createPayment:payment", "getPayment", "listPayments", "createPayments", "createTransaction",
  "listTransactions", "getTransaction", "makePayout",
  "createPayment:hold", merchantLogsIn, "capturePayment", "createRefund", "listRefunds", "getRefund", "getFees",
  "createPayment:request", customerLogsIn, "confirmPayment:own_currency",
  "createPayment:hold", merchantLogsIn, "cancelPayment",
  customerLogsIn, "createPayment:large", operatorLogsIn, "declinePayment",
  customerLogsIn, "createPayment:large", operatorLogsIn, "approvePayment", merchantLogsIn,
  "createWebhookEndpoint", "listWebhookEndpoints", "getWebhookEndpoint", "changeWebhookEndpoint", "rotateWebhookSecret",
  "testWebhookEndpoint", "listEvents", "getEvent", "streamEvents",
  "listDeliveries", "redeliverEvent", "replayEvents", "deleteWebhookEndpoint",
  "createCustomer", "listCustomers", "getCustomer", "changeCustomer", "inviteCustomer", "acceptCustomerInvitation",
  "inviteMember:somebody_new", "listMembers", "getMember", "changeMember", "removeMember",
  "inviteMember:somebody_new", "registerMember", "inviteMember:somebody_registered", customerLogsIn, "acceptInvitation",
  "listMemberships", "leaveMerchant", merchantLogsIn,
  "createApiKey", "listApiKeys", "getApiKey", "rotateApiKey", "revokeApiKey",
  operatorLogsIn, "setRate", "setFees", "freezeAccount", "unfreezeAccount", "getInvariants",
  "disableUser", "enableUser", "endSessions", "listAuditRecords",
  merchantLogsIn, "openAccount", "closeAccount",
  customerLogsIn, "makeDeposit", operatorLogsIn, "reverseTransaction",
  customerLogsIn, "openAccount", "makeDeposit:euros", merchantLogsIn, "createPayment:request",
  customerLogsIn, "createQuote", "getQuote", "listRates", "confirmPayment:quote",
  "refresh", "logOut", customerLogsIn, secondFactor, "changePassword",
];
for (const step of steps) {
  await (typeof step === "function" ? step() : tryOut(step));
}
assert.deepEqual([...operations.keys()].filter((name) => !tried.has(name)), []);
console.log(`Examples: ${tried.size} of ${operations.size} operations of the document were tried out.`);

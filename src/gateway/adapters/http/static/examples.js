// The examples of the document, made to work one after the other: after registering, logging in and depositing on the
// page, the other examples work as they stand. Ids in them stand for objects that the page has seen answered. Example
// keys and references get an ending of their own at each click; other keys are sent as they are. A login signs in.

const EXAMPLE_ID = /\b(usr|acc|pay|ref|txn|quo|whe|evt|key|mem)_01kc3x0m5fe7v8qj2r4n6p9st[a-z]\b/g;
const EXAMPLE_KEY = /^[A-Za-z]+-1$/;
const EXAMPLE_REFERENCE = /\border-100\d\b/g;
const EXAMPLE_POSITION = "4096";
const EXAMPLE_REFRESH_TOKEN = "rt_6f1c…";
const EXAMPLE_INVITATION_TOKEN = "gi_6f1c…";
const EXAMPLE_CUSTOMER_TOKEN = /\binv_usr_01kc3x[0-9a-z]+_[0-9A-Za-z]+/;
const MERCHANT_ID = "usr_01kc3x0m5fe7v8qj2r4n6p9stf";

// Unlike randomUUID, this works on pages without TLS too.
function randomText() {
  return Array.from(crypto.getRandomValues(new Uint32Array(2)), (number) => number.toString(36)).join("");
}

class Examples {
  // signIn takes an access token.
  constructor(signIn) {
    this.signIn = signIn;
    this.seen = {};
  }

  // A request as it is sent.
  request(request) {
    const known = (text) => text.replace(EXAMPLE_ID, (id, prefix) => this.seen[id === MERCHANT_ID ? "merchant" : prefix] ?? id);
    const ending = randomText();
    request.url = known(request.url);
    if (typeof request.body === "string") {
      request.body = known(request.body)
        .replace(EXAMPLE_REFERENCE, (reference) => `${reference}-${ending}`)
        .replace(EXAMPLE_REFRESH_TOKEN, (token) => this.seen.refreshToken ?? token)
        .replace(EXAMPLE_INVITATION_TOKEN, (token) => this.seen.invitationToken ?? token)
        .replace(EXAMPLE_CUSTOMER_TOKEN, (token) => this.seen.customerToken ?? token);
    }
    const key = request.headers?.["Idempotency-Key"];
    if (key !== undefined && EXAMPLE_KEY.test(key)) {
      request.headers["Idempotency-Key"] = `${key}-${ending}`;
    }
    if (request.headers?.["Last-Event-ID"] === EXAMPLE_POSITION) {
      request.headers["Last-Event-ID"] = String(this.seen.position ?? 0);
    }
    return request;
  }

  // Remembers the objects of an answer.
  response(response) {
    const body = response.body ?? response.obj;
    if (response.status < 300 && body && typeof body === "object") {
      this.see(body);
      if (body.access_token) {
        this.see(body.user ?? {});
        this.seen.refreshToken = body.refresh_token;
        this.signIn(body.access_token);
      }
    }
    return response;
  }

  see(object) {
    for (const part of object.object === "list" ? object.data : [object]) {
      const prefix = typeof part.id === "string" ? part.id.split("_")[0] : "";
      if (part.object === "user" && part.role === "merchant") {
        this.seen.merchant = part.id;
      } else if (prefix && !part.id.startsWith("mem_usr_")) {  // The merchant's own user cannot be removed.
        this.seen[prefix] = part.id;
      }
      for (const account of part.role === "merchant" ? [] : (part.accounts ?? [])) {
        this.seen.acc = account.id;
      }
      if (part.object === "event") {
        this.seen.position = part.position;
      }
      if (part.invitation_token) {
        this.seen.invitationToken = part.invitation_token;
      }
      if (part.object === "customer_invitation" && part.token) {
        this.seen.customerToken = part.token;
      }
      if (part.transaction_id) {
        this.seen.txn = part.transaction_id;
      }
    }
  }
}

if (typeof module !== "undefined") {
  module.exports = { Examples };
}

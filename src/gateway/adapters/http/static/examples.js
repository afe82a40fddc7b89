// The examples of the document, made to work one after the other: whoever registers, logs in and deposits on the page
// then pays with the examples as they stand. Ids in them stand for objects that the page has seen answered, a key is
// used once, and a login signs in.

const EXAMPLE_ID = /\b(usr|acc|pay|ref|txn|quo)_01kc3x0m5fe7v8qj2r4n6p9st[a-z]\b/g;
const MERCHANT_ID = "usr_01kc3x0m5fe7v8qj2r4n6p9stf";

class Examples {
  // signIn takes an access token; random makes a text that was never made before.
  constructor(signIn, random = () => crypto.randomUUID()) {
    this.signIn = signIn;
    this.random = random;
    this.seen = {};
    this.keysUsed = new Set();
  }

  // A request as it is sent: with ids that exist, and with a key of its own.
  request(request) {
    const known = (text) => text.replace(EXAMPLE_ID, (id, prefix) => this.seen[id === MERCHANT_ID ? "merchant" : prefix] ?? id);
    request.url = known(request.url);
    if (typeof request.body === "string") {
      request.body = known(request.body);
    }
    const key = request.headers?.["Idempotency-Key"];
    if (key !== undefined) {
      if (this.keysUsed.has(key)) {
        request.headers["Idempotency-Key"] = `${key}-${this.random()}`;
      }
      this.keysUsed.add(key);
    }
    return request;
  }

  // Remembers what an answer tells of.
  response(response) {
    const body = response.body ?? response.obj;
    if (response.status < 300 && body && typeof body === "object") {
      this.see(body);
      if (body.access_token) {
        this.see(body.user ?? {});
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
      } else if (prefix) {
        this.seen[prefix] = part.id;
      }
      for (const account of part.role === "merchant" ? [] : (part.accounts ?? [])) {
        this.seen.acc = account.id;
      }
    }
  }
}

if (typeof module !== "undefined") {
  module.exports = { Examples };
}

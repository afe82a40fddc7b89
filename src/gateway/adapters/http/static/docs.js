// Starts Swagger UI on the document of this gateway, whatever root path it is served below: this script knows where it
// was loaded from. The validator badge would send the document elsewhere: off.
const root = new URL("../..", document.currentScript.src).href.replace(/\/$/, "");

window.addEventListener("load", async () => {
  const answer = await fetch(`${root}/openapi.json`);
  const spec = await answer.json();
  const examples = new Examples((token) => ui.preauthorizeApiKey("bearer", token));
  const ui = SwaggerUIBundle({
    spec: { ...spec, servers: [{ url: root }] },
    dom_id: "#docs",
    deepLinking: true,
    persistAuthorization: false,
    validatorUrl: null,
    withCredentials: false,
    requestInterceptor: (request) => examples.request(request),
    responseInterceptor: (response) => examples.response(response),
  });
});

// Starts Swagger UI on the document of this gateway. The validator badge would send the document elsewhere: off.
window.addEventListener("load", () => {
  const root = document.body.dataset.root;
  SwaggerUIBundle({
    url: `${root}/openapi.json`,
    dom_id: "#docs",
    deepLinking: true,
    persistAuthorization: false,
    validatorUrl: null,
    withCredentials: false,
  });
});

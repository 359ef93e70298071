// Opens the API's description in Swagger UI, on our own origin only.
const docs = document.getElementById("docs");
window.SwaggerUIBundle({
  url: docs.dataset.url,
  domNode: docs,
  deepLinking: true,
  validatorUrl: null,
});

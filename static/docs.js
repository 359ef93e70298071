// Shows the description of the API in Swagger UI. Everything comes from our own origin.
const docs = document.getElementById("docs");
window.SwaggerUIBundle({
  url: docs.dataset.url,
  domNode: docs,
  deepLinking: true,
  validatorUrl: null,
});

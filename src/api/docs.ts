import { createRequire } from "node:module";
import { dirname } from "node:path";
import express, { Router } from "express";
import { refuseMethod } from "./mount.ts";

const assets = dirname(createRequire(import.meta.url).resolve("swagger-ui-dist/package.json"));

const page = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>Tandem API</title>
    <link rel="stylesheet" href="/docs/assets/swagger-ui.css" />
    <link rel="icon" href="/docs/assets/favicon-32x32.png" />
  </head>
  <body>
    <main id="docs"><p>The API is described by <a href="/openapi.json">/openapi.json</a>.</p></main>
    <script src="/docs/assets/swagger-ui-bundle.js"></script>
    <script src="/docs/start.js"></script>
  </body>
</html>
`;

const start = `SwaggerUIBundle({ url: "/openapi.json", dom_id: "#docs", deepLinking: true, validatorUrl: null });\n`;

// Everything comes from here. Swagger UI sets styles on elements and has images as data: URLs.
const policy =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; object-src 'none'";

/** `/openapi.json`, and `/docs`, which makes it readable in a browser without any other server. */
export function docsRoutes(document: object): Router {
  const router = Router();
  const text = JSON.stringify(document);
  router.get("/openapi.json", (_request, response) => {
    response.type("application/json").send(text);
  });
  router.get("/docs", (_request, response) => {
    response.set("content-security-policy", policy).type("html").send(page);
  });
  router.get("/docs/start.js", (_request, response) => {
    response.type("text/javascript").send(start);
  });
  router.use("/docs/assets", express.static(assets, { index: false, redirect: false, maxAge: "1d" }));
  router.all(["/openapi.json", "/docs", "/docs/start.js"], refuseMethod(["GET"]));
  return router;
}

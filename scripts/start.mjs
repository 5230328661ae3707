// npm start: makes the clone ready and becomes the supervisor, so that signals reach it directly.
process.argv.splice(2, 0, "dist/src/supervisor/main.js");
await import("./prepared.mjs");

// Lets the SDK download the Temporal CLI into a folder: node download-main.js v1.5.1 <folder>.
// It starts the server to prove the file, and is ended by force when it takes too long.
import { TestWorkflowEnvironment } from "@temporalio/testing";

const [version, downloadDir] = process.argv.slice(2);
if (version === undefined || downloadDir === undefined) throw new Error("usage: download-main.js <version> <folder>");
const server = await TestWorkflowEnvironment.createLocal({
  server: { executable: { type: "cached-download", version, downloadDir } },
});
await server.teardown();

// Finds the Temporal binary, or brings it into the cache, and prints where it is.
import { getTemporalBinary } from "./temporal-binary.ts";

try {
  const { path } = await getTemporalBinary({ environment: process.env, say: (sentence) => console.error(sentence) });
  console.log(path);
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

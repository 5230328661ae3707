import { describe, expect, test } from "vitest";
import { compileDefinition, type CompiledDefinition } from "../../src/definition/compile.ts";
import { planNodes } from "../../src/definition/plan.ts";
import { createDefinitionSchema } from "../../src/definition/schema.ts";
import { triggerKinds } from "../../src/triggers/registry.ts";
import { branch, definitionWith, kinds, step, whenEver } from "./documents.ts";

const { find, set, write } = step;
const schema = createDefinitionSchema(triggerKinds);

function compile(changes: { [key: string]: unknown }, quickLane = true): CompiledDefinition {
  return compileDefinition(schema.parse(definitionWith(changes)), { kinds, quickLane });
}

const mail = { id: "tell", kind: "mail", input: { to: ["a@example.com"], subject: "Hello {{ trigger.body.name }}" } };

describe("a plan", () => {
  const steps = [
    find("found"),
    branch(
      "person",
      { name: "known", when: whenEver, steps: [set("a"), branch("inner", { steps: [set("b")] })], output: { id: 1 } },
      { steps: [], output: { id: null } },
    ),
    { ...write("task"), onError: { codes: ["taken"], steps: [set("c")], output: { id: null } } },
    mail,
  ];

  test("numbers its nodes depth first in the order of the document; a block's output is its last step", () => {
    const { plan, nodes } = compile({ steps });
    const ids = [
      "found",
      "person",
      "a",
      "inner",
      "b",
      "person.output",
      "person.output",
      "task",
      "c",
      "task.output",
      "tell",
    ];
    expect(nodes.map(({ step: { id } }) => id)).toEqual(ids);
    expect(nodes.map(({ step: { node } }) => node)).toEqual([...ids.keys()]);
    expect(planNodes(plan)).toEqual(nodes.map(({ step: planned }) => planned));
  });

  test("knows each node's place in the definition", () => {
    expect(compile({ steps }).nodes.map(({ at }) => at)).toEqual([
      "steps[0]",
      "steps[1]",
      "steps[1].branches[0].steps[0]",
      "steps[1].branches[0].steps[1]",
      "steps[1].branches[0].steps[1].branches[0].steps[0]",
      "steps[1].branches[0].output",
      "steps[1].branches[1].output",
      "steps[2]",
      "steps[2].onError.steps[0]",
      "steps[2].onError.output",
      "steps[3]",
    ]);
  });

  test("hands everything but what acts outside to the quick lane, or nothing where there is none", () => {
    expect(
      compile({ steps })
        .nodes.filter(({ step: { quick } }) => !quick)
        .map(({ step: { id } }) => id),
    ).toEqual(["tell"]);
    expect(compile({ steps }, false).nodes.some(({ step: { quick } }) => quick)).toBe(false);
  });

  test("carries no expression, value or condition", () => {
    const secret = "do-not-travel";
    const { plan } = compile({
      settings: { s: { type: "text", default: secret } },
      steps: [
        set("a", { x: secret }),
        branch("b", { when: { left: secret, operator: "isEmpty" }, steps: [], output: { y: `{{ a.x }}${secret}` } }),
      ],
      output: { z: secret },
    });
    expect(JSON.stringify(plan)).not.toContain(secret);
  });

  test("takes each kind's version, queue, timeout and retries", () => {
    const [task, tell] = compile({ steps: [write("task"), mail] }).plan.steps;
    expect(task).toMatchObject({ version: 3, queue: "runs", timeoutMs: 30_000, retry: kinds["write"]?.retry });
    expect(tell).toMatchObject({ version: 3, queue: "email" });
  });

  test("takes what a step says of its own retries, and the kind's for the rest", () => {
    const [task] = compile({
      steps: [{ ...write("task"), timeout: "2m", retry: { maximumAttempts: 2, maximumInterval: "500ms" } }],
    }).plan.steps;
    expect(task).toMatchObject({
      timeoutMs: 120_000,
      retry: { maximumAttempts: 2, initialIntervalMs: 1_000, backoffCoefficient: 2, maximumIntervalMs: 500 },
    });
  });

  test.each([
    ["fail", undefined],
    ["continue", {}],
    [{ codes: ["a"] }, { codes: ["a"], steps: [] }],
  ])("says of onError %j what follows a failure", (onError, planned) => {
    expect(compile({ steps: [{ ...write("task"), onError }] }).plan.steps[0]?.onError).toEqual(planned);
  });
});

describe("expressions", () => {
  const evaluation = {
    lookup: (path: readonly (string | number)[]) => (path.join(".") === "trigger.body.name" ? "Ada <b>" : undefined),
    timeZone: "UTC",
    now: new Date(0),
  };

  test("of an input are escaped for the place they stand in", () => {
    const html = {
      id: "tell",
      kind: "mail",
      input: { to: [], subject: "{{ trigger.body.name }}", html: "<p>{{ trigger.body.name }}</p>" },
    };
    expect(compile({ steps: [html] }).nodes[0]?.input?.evaluate(evaluation)).toMatchObject({
      subject: "Ada <b>",
      html: "<p>Ada &lt;b&gt;</p>",
    });
  });

  test("of the run's output and of the concurrency key are compiled beside the plan", () => {
    const { output, concurrencyKey } = compile({
      output: { who: "{{ trigger.body.name }}" },
      concurrency: { key: "{{ trigger.body.name | downcase }}" },
    });
    expect(output?.evaluate(evaluation)).toEqual({ who: "Ada <b>" });
    expect(concurrencyKey?.evaluate(evaluation)).toBe("ada <b>");
  });

  test("that are missing say where they stand", () => {
    const { nodes } = compile({ steps: [set("a", { x: "{{ trigger.body.role }}" })] });
    expect(() => nodes[0]?.input?.evaluate(evaluation)).toThrow(
      /^steps\[0\]\.input\.x: trigger\.body\.role is missing/,
    );
  });
});

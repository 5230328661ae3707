/** The target of the first link of a relation in a `Link` header (RFC 8288), as it is written there. */
export function findLink(header: string | undefined, relation: string): string | undefined {
  for (const { target, parameters } of linksOf(header ?? "")) {
    const relations = parameters.get("rel")?.toLowerCase().split(/\s+/) ?? [];
    if (relations.includes(relation)) return target;
  }
  return undefined;
}

interface Link {
  readonly target: string;
  readonly parameters: ReadonlyMap<string, string>;
}

// Each part begins where the one before ended: the header is read once, whatever it holds.
const targetPart = /\s*(?:,\s*)?<([^>]*)>/y;
const parameterPart = /\s*;\s*([^\s=;,"]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?/y;

function linksOf(header: string): Link[] {
  const links: Link[] = [];
  for (let position = 0; position < header.length;) {
    const target = matchAt(targetPart, header, position);
    if (target === undefined) return links;
    position = targetPart.lastIndex;
    const parameters = new Map<string, string>();
    for (;;) {
      const parameter = matchAt(parameterPart, header, position);
      if (parameter === undefined) break;
      position = parameterPart.lastIndex;
      const name = (parameter[1] ?? "").toLowerCase();
      // The first of a name counts.
      if (!parameters.has(name)) parameters.set(name, parameter[2]?.replaceAll(/\\(.)/g, "$1") ?? parameter[3] ?? "");
    }
    links.push({ target: target[1] ?? "", parameters });
  }
  return links;
}

function matchAt(pattern: RegExp, text: string, position: number): RegExpExecArray | undefined {
  pattern.lastIndex = position;
  return pattern.exec(text) ?? undefined;
}

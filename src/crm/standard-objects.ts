import type { FieldType } from "./field-types.ts";
import type { Json, JsonObject } from "../json.ts";

/** A field before it is in a workspace's metadata. */
export interface FieldDefinition {
  readonly name: string;
  readonly label: string;
  readonly description?: string | null;
  readonly icon?: string | null;
  readonly type: FieldType;
  readonly settings?: JsonObject;
  readonly defaultValue?: Json;
  readonly required?: boolean;
  readonly unique?: boolean;
  /** Whether an index of its own serves filters and sorting. */
  readonly indexed?: boolean;
  /** Whether full-text search looks into it. */
  readonly searchable?: boolean;
  /** Unquoted; by default the name in snake case. */
  readonly columnName?: string;
}

/** An object before it is in a workspace's metadata: custom ones are described in the same way. */
export interface ObjectDefinition {
  readonly id?: string;
  /** Unquoted; by default the name in snake case. */
  readonly tableName?: string;
  readonly name: string;
  readonly plural: string;
  readonly label: string;
  readonly labelPlural: string;
  readonly description?: string | null;
  readonly icon?: string | null;
  readonly fields: readonly FieldDefinition[];
  /** Fields that together must be unique, where each of them has a value. */
  readonly uniqueTogether?: readonly (readonly string[])[];
  /** Paths over which there is an index: what is sorted, or compared, by several at once. */
  readonly indexes?: readonly (readonly string[])[];
  /** Paths of which all must be the same, for each way in which two records may be duplicates. */
  readonly duplicateCriteria?: readonly (readonly string[])[];
}

const text = (name: string, label: string): FieldDefinition => ({ name, label, type: "TEXT" });
const nameText = (name: string, label: string): FieldDefinition => ({ ...text(name, label), searchable: true });

/** What a relation is seen as from the other side: `people` of a company. */
interface InverseDefinition {
  readonly name: string;
  readonly label: string;
}

const relation = (
  name: string,
  label: string,
  object: string,
  { inverse, onDelete = "set-null" }: { inverse: InverseDefinition; onDelete?: "set-null" | "cascade" },
): FieldDefinition => ({
  name,
  label,
  type: "RELATION",
  settings: { object, onDelete, inverse: { ...inverse } },
});
const select = (name: string, label: string, options: readonly (readonly [string, string])[]): FieldDefinition => ({
  name,
  label,
  type: "SELECT",
  settings: { options: options.map(([value, optionLabel], position) => ({ value, label: optionLabel, position })) },
  defaultValue: options[0]?.[0] ?? null,
  indexed: true,
});
const links = (name: string, label: string): FieldDefinition => ({ name, label, type: "LINKS" });

/** The link object of an object whose records can be linked to others. */
export const linkObjects: Readonly<Record<string, string>> = { task: "taskTarget", note: "noteTarget" };

/** The relation by which a link object points to a record of `target`. */
export function linkField(name: "task" | "note", target: { name: string; label: string }): FieldDefinition {
  const inverse = { name: `${name}Targets`, label: name === "task" ? "Tasks" : "Notes" };
  return relation(`${target.name}Id`, target.label, target.name, { inverse, onDelete: "cascade" });
}

const linked = [
  { name: "person", label: "Person" },
  { name: "company", label: "Company" },
  { name: "opportunity", label: "Opportunity" },
];

function targetOf(name: "task" | "note", label: string): ObjectDefinition {
  const inverse = { name: `${name}Targets`, label: "Targets" };
  return {
    name: `${name}Target`,
    plural: `${name}Targets`,
    label: `${label} target`,
    labelPlural: `${label} targets`,
    fields: [
      { ...relation(`${name}Id`, label, name, { inverse, onDelete: "cascade" }), required: true },
      ...linked.map((target) => linkField(name, target)),
    ],
    uniqueTogether: linked.map((target) => [`${name}Id`, `${target.name}Id`]),
  };
}

/** The objects that every workspace begins with, referred-to ones first. Fields as Twenty has them. */
export const standardObjects: readonly ObjectDefinition[] = [
  {
    name: "workspaceMember",
    plural: "workspaceMembers",
    label: "Workspace member",
    labelPlural: "Workspace members",
    fields: [
      { name: "name", label: "Name", type: "FULL_NAME", searchable: true },
      {
        name: "userEmail",
        label: "E-mail",
        type: "TEXT",
        unique: true,
        required: true,
        searchable: true,
        settings: { compares: "without-case" },
      },
      { name: "timeZone", label: "Time zone", type: "TEXT", defaultValue: "UTC" },
      { name: "active", label: "Active", type: "BOOLEAN", defaultValue: true },
    ],
    duplicateCriteria: [["userEmail"]],
  },
  {
    name: "company",
    plural: "companies",
    label: "Company",
    labelPlural: "Companies",
    fields: [
      { ...nameText("name", "Name"), indexed: true },
      { ...links("domainName", "Domain name"), unique: true, searchable: true, settings: { compares: "as-domain" } },
      { name: "employees", label: "Employees", type: "NUMBER" },
      links("linkedinLink", "LinkedIn"),
      links("xLink", "X"),
      { name: "annualRecurringRevenue", label: "ARR", type: "CURRENCY" },
      { name: "address", label: "Address", type: "ADDRESS", searchable: true },
      { name: "idealCustomerProfile", label: "ICP", type: "BOOLEAN", defaultValue: false },
      relation("accountOwnerId", "Account owner", "workspaceMember", {
        inverse: { name: "accountOwnerForCompanies", label: "Account owner for companies" },
      }),
    ],
    duplicateCriteria: [["name"], ["domainName.primaryLinkUrl"]],
  },
  {
    name: "person",
    plural: "people",
    label: "Person",
    labelPlural: "People",
    fields: [
      { name: "name", label: "Name", type: "FULL_NAME", searchable: true },
      {
        name: "emails",
        label: "E-mails",
        type: "EMAILS",
        unique: true,
        searchable: true,
        settings: { compares: "without-case" },
      },
      { name: "phones", label: "Phones", type: "PHONES", searchable: true },
      links("linkedinLink", "LinkedIn"),
      links("xLink", "X"),
      text("jobTitle", "Job title"),
      { ...text("city", "City"), searchable: true },
      text("avatarUrl", "Avatar"),
      relation("companyId", "Company", "company", { inverse: { name: "people", label: "People" } }),
    ],
    indexes: [["name.lastName", "name.firstName"]],
    duplicateCriteria: [["name.firstName", "name.lastName"], ["linkedinLink.primaryLinkUrl"], ["emails.primaryEmail"]],
  },
  {
    name: "opportunity",
    plural: "opportunities",
    label: "Opportunity",
    labelPlural: "Opportunities",
    fields: [
      { ...nameText("name", "Name"), indexed: true },
      { name: "amount", label: "Amount", type: "CURRENCY" },
      { name: "closeDate", label: "Close date", type: "DATE_TIME" },
      select("stage", "Stage", [
        ["NEW", "New"],
        ["SCREENING", "Screening"],
        ["MEETING", "Meeting"],
        ["PROPOSAL", "Proposal"],
        ["CUSTOMER", "Customer"],
        ["CLOSED_WON", "Closed won"],
        ["CLOSED_LOST", "Closed lost"],
      ]),
      relation("pointOfContactId", "Point of contact", "person", {
        inverse: { name: "pointOfContactForOpportunities", label: "Point of contact for opportunities" },
      }),
      relation("companyId", "Company", "company", { inverse: { name: "opportunities", label: "Opportunities" } }),
      relation("ownerId", "Owner", "workspaceMember", {
        inverse: { name: "ownedOpportunities", label: "Owned opportunities" },
      }),
    ],
  },
  {
    name: "task",
    plural: "tasks",
    label: "Task",
    labelPlural: "Tasks",
    fields: [
      nameText("title", "Title"),
      { name: "bodyV2", label: "Body", type: "RICH_TEXT" },
      { name: "dueAt", label: "Due at", type: "DATE_TIME" },
      select("status", "Status", [
        ["TODO", "To do"],
        ["IN_PROGRESS", "In progress"],
        ["DONE", "Done"],
      ]),
      relation("assigneeId", "Assignee", "workspaceMember", {
        inverse: { name: "assignedTasks", label: "Assigned tasks" },
      }),
    ],
  },
  {
    name: "note",
    plural: "notes",
    label: "Note",
    labelPlural: "Notes",
    fields: [nameText("title", "Title"), { name: "bodyV2", label: "Body", type: "RICH_TEXT" }],
  },
  targetOf("task", "Task"),
  targetOf("note", "Note"),
];

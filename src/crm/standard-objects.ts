import type { FieldType } from "./field-types.ts";
import type { Json, JsonObject } from "../json.ts";

/** A field before it is in a workspace's metadata. */
export interface FieldDefinition {
  readonly name: string;
  readonly label: string;
  readonly type: FieldType;
  readonly settings?: JsonObject;
  readonly defaultValue?: Json;
  readonly required?: boolean;
  readonly unique?: boolean;
}

/** An object before it is in a workspace's metadata: custom ones are described in the same way. */
export interface ObjectDefinition {
  readonly name: string;
  readonly plural: string;
  readonly label: string;
  readonly labelPlural: string;
  readonly fields: readonly FieldDefinition[];
  /** Fields that together must be unique. */
  readonly uniqueTogether?: readonly string[];
}

const text = (name: string, label: string): FieldDefinition => ({ name, label, type: "TEXT" });
const relation = (
  name: string,
  label: string,
  object: string,
  onDelete: "set-null" | "cascade" = "set-null",
): FieldDefinition => ({
  name,
  label,
  type: "RELATION",
  settings: { object, onDelete },
});
const select = (name: string, label: string, options: readonly (readonly [string, string])[]): FieldDefinition => ({
  name,
  label,
  type: "SELECT",
  settings: { options: options.map(([value, optionLabel], position) => ({ value, label: optionLabel, position })) },
  defaultValue: options[0]?.[0] ?? null,
});
const links = (name: string, label: string): FieldDefinition => ({ name, label, type: "LINKS" });

/** Records that tasks and notes can be linked to. */
export const linkTargets = ["person", "company", "opportunity"] as const;

/** The link object of an object whose records can be linked to others. */
export const linkObjects: Readonly<Record<string, string>> = { task: "taskTarget", note: "noteTarget" };

function targetOf(name: "task" | "note", label: string): ObjectDefinition {
  return {
    name: `${name}Target`,
    plural: `${name}Targets`,
    label: `${label} target`,
    labelPlural: `${label} targets`,
    fields: [
      { ...relation(`${name}Id`, label, name, "cascade"), required: true },
      ...linkTargets.map((target) => relation(`${target}Id`, target, target, "cascade")),
    ],
    uniqueTogether: [`${name}Id`, ...linkTargets.map((target) => `${target}Id`)],
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
      { name: "name", label: "Name", type: "FULL_NAME" },
      {
        name: "userEmail",
        label: "E-mail",
        type: "TEXT",
        unique: true,
        required: true,
        settings: { compares: "without-case" },
      },
      { name: "timeZone", label: "Time zone", type: "TEXT", defaultValue: "UTC" },
      { name: "active", label: "Active", type: "BOOLEAN", defaultValue: true },
    ],
  },
  {
    name: "company",
    plural: "companies",
    label: "Company",
    labelPlural: "Companies",
    fields: [
      text("name", "Name"),
      { ...links("domainName", "Domain name"), unique: true, settings: { compares: "as-domain" } },
      { name: "employees", label: "Employees", type: "NUMBER" },
      links("linkedinLink", "LinkedIn"),
      links("xLink", "X"),
      { name: "annualRecurringRevenue", label: "ARR", type: "CURRENCY" },
      { name: "address", label: "Address", type: "ADDRESS" },
      { name: "idealCustomerProfile", label: "ICP", type: "BOOLEAN", defaultValue: false },
      relation("accountOwnerId", "Account owner", "workspaceMember"),
    ],
  },
  {
    name: "person",
    plural: "people",
    label: "Person",
    labelPlural: "People",
    fields: [
      { name: "name", label: "Name", type: "FULL_NAME" },
      { name: "emails", label: "E-mails", type: "EMAILS", unique: true, settings: { compares: "without-case" } },
      { name: "phones", label: "Phones", type: "PHONES" },
      links("linkedinLink", "LinkedIn"),
      links("xLink", "X"),
      text("jobTitle", "Job title"),
      text("city", "City"),
      text("avatarUrl", "Avatar"),
      relation("companyId", "Company", "company"),
    ],
  },
  {
    name: "opportunity",
    plural: "opportunities",
    label: "Opportunity",
    labelPlural: "Opportunities",
    fields: [
      text("name", "Name"),
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
      relation("pointOfContactId", "Point of contact", "person"),
      relation("companyId", "Company", "company"),
      relation("ownerId", "Owner", "workspaceMember"),
    ],
  },
  {
    name: "task",
    plural: "tasks",
    label: "Task",
    labelPlural: "Tasks",
    fields: [
      text("title", "Title"),
      { name: "bodyV2", label: "Body", type: "RICH_TEXT" },
      { name: "dueAt", label: "Due at", type: "DATE_TIME" },
      select("status", "Status", [
        ["TODO", "To do"],
        ["IN_PROGRESS", "In progress"],
        ["DONE", "Done"],
      ]),
      relation("assigneeId", "Assignee", "workspaceMember"),
    ],
  },
  {
    name: "note",
    plural: "notes",
    label: "Note",
    labelPlural: "Notes",
    fields: [text("title", "Title"), { name: "bodyV2", label: "Body", type: "RICH_TEXT" }],
  },
  targetOf("task", "Task"),
  targetOf("note", "Note"),
];

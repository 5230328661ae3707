import type { Request } from "express";
import type { z } from "zod";
import { createMany, updateMany } from "./batch.ts";
import { duplicates } from "./duplicates.ts";
import { groups } from "./groups.ts";
import { removeAll, restore, restoreAll, updateAll } from "./many.ts";
import { merge } from "./merge.ts";
import type { Place } from "./place.ts";
import {
  createManyQuery,
  createQuery,
  deleteMatchingQuery,
  deleteQuery,
  groupQuery,
  listQuery,
  matchingQuery,
  recordQuery,
  updateManyQuery,
} from "./query.ts";
import { create, list, one, remove, update } from "./records.ts";

export type Method = "get" | "post" | "patch" | "put" | "delete";

/** An object's two names, each as it is and with a capital: `person`, `People`. */
export interface Names {
  readonly one: string;
  readonly many: string;
  readonly One: string;
  readonly Many: string;
}

/** Something that can be done with the records of every object: served, and described, from here. */
export interface Operation {
  readonly method: Method;
  /** Below `/rest`. */
  readonly path: string;
  /** As Twenty's clients call it. */
  id(names: Names): string;
  summary(names: Names): string;
  readonly query: z.ZodObject;
  readonly body?: "record" | "changes" | "records" | "rows" | "duplicates" | "merge";
  readonly gives: "page" | "record" | "records" | "id" | "ids" | "duplicates" | "merged" | "groups";
  /** What the answer's data is under. */
  under(names: Names): string;
  readonly status?: 201;
  /** Whoever may read may ask it, whatever its method. */
  readonly changes?: "nothing";
  answer(place: Place, request: Request): Promise<object>;
}

const records: readonly Operation[] = [
  {
    method: "get",
    path: "/{plural}",
    id: ({ Many }) => `findMany${Many}`,
    summary: ({ many }) => `List ${many}`,
    query: listQuery,
    gives: "page",
    under: ({ many }) => many,
    answer: list,
  },
  {
    method: "post",
    path: "/{plural}",
    id: ({ One }) => `createOne${One}`,
    summary: ({ one: name }) => `Create a ${name}`,
    query: createQuery,
    body: "record",
    gives: "record",
    under: ({ One }) => `create${One}`,
    status: 201,
    answer: create,
  },
  {
    method: "patch",
    path: "/{plural}",
    id: ({ Many }) => `updateMany${Many}`,
    summary: ({ many }) => `Make the same change of all ${many} that match a filter, 1,000 at most`,
    query: matchingQuery,
    body: "changes",
    gives: "records",
    under: ({ Many }) => `update${Many}`,
    answer: updateAll,
  },
  {
    method: "delete",
    path: "/{plural}",
    id: ({ Many }) => `deleteMany${Many}`,
    summary: ({ many }) => `Destroy all ${many} that match a filter, 1,000 at most, or mark them as deleted`,
    query: deleteMatchingQuery,
    gives: "ids",
    under: ({ Many }) => `delete${Many}`,
    answer: removeAll,
  },
  {
    method: "get",
    path: "/{plural}/{id}",
    id: ({ One }) => `findOne${One}`,
    summary: ({ one: name }) => `Read a ${name}`,
    query: recordQuery,
    gives: "record",
    under: ({ one: name }) => name,
    answer: one,
  },
  {
    method: "patch",
    path: "/{plural}/{id}",
    id: ({ One }) => `updateOne${One}`,
    summary: ({ one: name }) => `Change the fields of a ${name} that are named`,
    query: recordQuery,
    body: "changes",
    gives: "record",
    under: ({ One }) => `update${One}`,
    answer: update,
  },
  {
    method: "delete",
    path: "/{plural}/{id}",
    id: ({ One }) => `deleteOne${One}`,
    summary: ({ one: name }) => `Destroy a ${name}, or mark it as deleted`,
    query: deleteQuery,
    gives: "id",
    under: ({ One }) => `delete${One}`,
    answer: remove,
  },
];

const batches: readonly Operation[] = [
  {
    method: "post",
    path: "/batch/{plural}",
    id: ({ Many }) => `createMany${Many}`,
    summary: ({ many }) => `Create many ${many}, 1,000 at most: all of them or none`,
    query: createManyQuery,
    body: "records",
    gives: "records",
    under: ({ Many }) => `create${Many}`,
    status: 201,
    answer: createMany,
  },
  {
    method: "patch",
    path: "/batch/{plural}",
    id: ({ Many }) => `updateBatchOf${Many}`,
    summary: ({ many }) => `Change many ${many}, 1,000 at most, each by its id: all of them or none`,
    query: updateManyQuery,
    body: "rows",
    gives: "records",
    under: ({ Many }) => `update${Many}`,
    answer: updateMany,
  },
];

const findDuplicates: Omit<Operation, "path" | "id"> = {
  method: "post",
  summary: ({ many }) => `Find ${many} that may be the same`,
  query: recordQuery,
  body: "duplicates",
  gives: "duplicates",
  under: ({ one: name }) => `${name}Duplicates`,
  changes: "nothing",
  answer: duplicates,
};
const restoreOne: Omit<Operation, "path" | "id"> = {
  method: "patch",
  summary: ({ one: name }) => `Bring a deleted ${name} back`,
  query: recordQuery,
  gives: "record",
  under: ({ One }) => `restore${One}`,
  answer: restore,
};
const restoreMany: Omit<Operation, "path" | "id"> = {
  method: "patch",
  summary: ({ many }) => `Bring back all deleted ${many} that match a filter, 1,000 at most`,
  query: matchingQuery,
  gives: "records",
  under: ({ Many }) => `restore${Many}`,
  answer: restoreAll,
};

/** Twenty has had some of them under two paths: its clients use either. */
const others: readonly Operation[] = [
  { ...findDuplicates, path: "/{plural}/duplicates", id: ({ One }) => `find${One}Duplicates` },
  { ...findDuplicates, path: "/duplicates/{plural}", id: ({ One }) => `findDuplicatesOf${One}` },
  { ...restoreMany, path: "/{plural}/restore", id: ({ Many }) => `restoreAll${Many}` },
  { ...restoreMany, path: "/restore/{plural}", id: ({ Many }) => `restoreMany${Many}` },
  { ...restoreOne, path: "/{plural}/{id}/restore", id: ({ One }) => `restoreThe${One}` },
  { ...restoreOne, path: "/restore/{plural}/{id}", id: ({ One }) => `restoreOne${One}` },
  {
    method: "patch",
    path: "/{plural}/merge",
    id: ({ Many }) => `mergeMany${Many}`,
    summary: ({ many }) => `Make one of several ${many}`,
    query: recordQuery,
    body: "merge",
    gives: "merged",
    under: ({ Many }) => `merge${Many}`,
    answer: merge,
  },
  {
    method: "get",
    path: "/{plural}/groupBy",
    id: ({ Many }) => `groupBy${Many}`,
    summary: ({ many }) => `Group ${many} by one or two fields, with figures`,
    query: groupQuery,
    gives: "groups",
    under: () => "",
    answer: groups,
  },
];

/** PUT is PATCH to clients of earlier versions. */
function withPut(operation: Operation): Operation[] {
  if (operation.method !== "patch" || operation.gives === "merged" || operation.body === undefined) return [operation];
  return [operation, { ...operation, method: "put", id: (names) => `${operation.id(names)}ByPut` }];
}

/** All of them: a path with a word of its own before the one that would take the word for an id. */
export const operations: readonly Operation[] = [...batches, ...others, ...records].flatMap(withPut);

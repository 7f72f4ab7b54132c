// The protocol as this client uses it: what a server offers, and how its errors are read. Pure.
import type { KoreErrorData, KoreErrorKind, KoreEvent, KoreMethod, KoreMethods } from "../protocol";

export interface PermissionAnswer {
  outcome: "selected" | "cancelled";
  optionId?: string;
  feedback?: string;
}

export type Methods = KoreMethods;
/** Any method; an older server may lack some. */
export type Method = KoreMethod;

/** Any event, told apart by its type. */
export type AnyEvent = KoreEvent;

/** What the server said it can do. */
export interface Offer {
  methods: ReadonlySet<string>;
  version: string;
}

export function readOffer(capabilities: unknown, version: string | undefined): Offer {
  const kore = (capabilities as { experimental?: { kore?: { methods?: unknown } } } | undefined)?.experimental?.kore;
  const methods = Array.isArray(kore?.methods) ? kore.methods.filter((each) => typeof each === "string") : [];
  return { methods: new Set(methods), version: version ?? "" };
}

/** The kind of a failed request, or undefined if it did not fail in the server's domain. */
export function errorKind(error: unknown): KoreErrorKind | undefined {
  return errorData(error)?.kind;
}

export function errorData(error: unknown): KoreErrorData | undefined {
  const data = (error as { data?: unknown } | null | undefined)?.data;
  return typeof data === "object" && data !== null && "kind" in data ? (data as KoreErrorData) : undefined;
}

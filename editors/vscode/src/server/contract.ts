// The methods and events this client uses: the generated protocol, and those that not every server has.
import type { EventBase, KoreErrorData, KoreErrorKind, KoreEvent, KoreMethods, PermissionRequest, StoreStatus } from "../protocol";

export interface PermissionAnswer {
  outcome: "selected" | "cancelled";
  optionId?: string;
  feedback?: string;
}

interface Optional {
  "kore/turn/revert": {
    params: { turnId: string; folder?: string; dryRun?: boolean };
    result: { reverted: string[]; conflicts: string[] };
  };
  "kore/permission/list": { params: { folder?: string }; result: { requests: PermissionRequest[] } };
  "kore/permission/answer": { params: PermissionAnswer & { requestId: string; folder?: string }; result: unknown };
  "kore/store/unlock": { params: { folder?: string; passphrase?: string; key?: string }; result: StoreStatus };
}

/** Every method a server may have, with its params and its result. */
export type Methods = KoreMethods & Omit<Optional, keyof KoreMethods>;
export type Method = keyof Methods & string;

interface OptionalEvents {
  "store.locked": { sessions: string[]; kinds: string[] };
}

type OptionalEvent = { [T in keyof OptionalEvents]: EventBase & { type: T; data: OptionalEvents[T] } }[keyof OptionalEvents];

/** Any event, told apart by its type. */
export type AnyEvent = KoreEvent | Exclude<OptionalEvent, { type: KoreEvent["type"] }>;

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

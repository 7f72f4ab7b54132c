// What the chat's page and the extension say to each other. Both ends distrust: the extension reads every message here.
import type { AgentMode, PermissionRequest, SessionStatus, Role, StopReason, ToolKind, ToolStatus } from "../protocol";

/** A message as the page shows it; long contents are cut, and say so. */
export interface ShownMessage {
  id: string;
  seq: number;
  role: Role;
  text: string;
  cut: boolean;
  timestamp: number;
  thinking: string;
  state?: "interrupted" | "cancelled";
  calls: ShownCall[];
}

export interface ShownCall {
  id: string;
  messageId: string;
  name: string;
  kind: ToolKind;
  title: string;
  status: ToolStatus;
  input: string;
  output: string;
}

export interface ShownSession {
  id: string;
  name: string;
  folder: string;
  mode: AgentMode;
  modeName: string;
  status: SessionStatus;
  statusName: string;
}

/** What a finished turn changed on disk. */
export interface ShownChanges {
  turnId: string;
  lastSeq: number;
  files: string[];
  revertable: boolean;
}

export interface Draft {
  messageId: string;
  text: string;
  thinking: string;
}

export interface Show {
  type: "show";
  session?: ShownSession;
  messages: ShownMessage[];
  older: boolean;
  newer: boolean;
  running: boolean;
  queued: number;
  draft?: Draft;
  openCalls: ShownCall[];
  changes: ShownChanges[];
  /** False: prompts are only kept as messages, as there is no agent. */
  answers: boolean;
  /** The message to bring into view. */
  reveal?: number;
  /** Show again what is shown, and stay where the reader is. */
  again: boolean;
}

export type HostMessage =
  | { type: "setup"; strings: ChatStrings }
  | Show
  | { type: "notice"; text: string; action?: { label: string; command: NoticeCommand } }
  | { type: "session"; session: ShownSession }
  | { type: "message"; message: ShownMessage }
  | { type: "page"; where: "older" | "newer"; messages: ShownMessage[]; more: boolean }
  | { type: "delta"; messageId: string; kind: "text" | "thinking"; offset: number; delta: string }
  | { type: "call"; call: ShownCall }
  | { type: "output"; id: string; offset: number; chunk: string }
  | { type: "turn"; running: boolean; queued: number }
  | { type: "queue"; queued: number }
  | { type: "done"; stopReason: StopReason; text: string; changes?: ShownChanges }
  | { type: "failed"; text: string }
  | { type: "permissions"; requests: PermissionRequest[] }
  /** What reverting would do; `possible`: it would do something. */
  | { type: "preview"; turnId: string; text: string; possible: boolean }
  | { type: "reverted"; turnId: string; text: string }
  | { type: "refused"; prompt: string; text: string }
  /** Who could answer: what the button says, or else a text, or neither; `more`: others could, too. */
  | { type: "offer"; label?: string; more?: boolean; text?: string };

export const NOTICE_COMMANDS = ["kore.ui.unlock", "kore.ui.adopt", "kore.ui.restart", "kore.ui.install", "kore.ui.new"] as const;
export type NoticeCommand = (typeof NOTICE_COMMANDS)[number];
export const HEAD_COMMANDS = ["kore.ui.switch", "kore.ui.mode", "kore.ui.new", "kore.ui.agent"] as const;

export type ViewMessage =
  | { type: "ready" }
  | { type: "send"; prompt: string }
  | { type: "stop" }
  | { type: "older"; seq: number }
  | { type: "newer"; seq: number }
  | { type: "latest" }
  | { type: "again" }
  | { type: "copy"; text: string }
  | { type: "insert"; text: string }
  | { type: "link"; target: string }
  | { type: "file"; path: string }
  | { type: "fork"; messageId: string }
  | { type: "edit"; messageId: string }
  | { type: "regenerate"; messageId: string }
  | { type: "answer"; requestId: string; optionId: string; feedback: string }
  | { type: "preview"; turnId: string }
  | { type: "revert"; turnId: string }
  | { type: "transcript" }
  | { type: "takeOffer" }
  | { type: "command"; command: NoticeCommand | (typeof HEAD_COMMANDS)[number] };

/** The fields of each message from the page. */
const FIELDS: Record<ViewMessage["type"], Record<string, "string" | "number">> = {
  ready: {}, stop: {}, latest: {}, again: {}, transcript: {}, takeOffer: {},
  send: { prompt: "string" },
  older: { seq: "number" },
  newer: { seq: "number" },
  copy: { text: "string" },
  insert: { text: "string" },
  link: { target: "string" },
  file: { path: "string" },
  fork: { messageId: "string" },
  edit: { messageId: "string" },
  regenerate: { messageId: "string" },
  answer: { requestId: "string", optionId: "string", feedback: "string" },
  preview: { turnId: "string" },
  revert: { turnId: "string" },
  command: { command: "string" },
};

/** The message, or undefined where it is none of those above. */
export function readViewMessage(value: unknown): ViewMessage | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const message = value as Record<string, unknown>;
  const fields = typeof message["type"] === "string" && Object.hasOwn(FIELDS, message["type"]) ? FIELDS[message["type"] as ViewMessage["type"]] : undefined;
  if (!fields) return undefined;
  for (const [name, type] of Object.entries(fields)) if (typeof message[name] !== type) return undefined;
  const commands: readonly string[] = [...NOTICE_COMMANDS, ...HEAD_COMMANDS];
  if (message["type"] === "command" && !commands.includes(message["command"] as string)) return undefined;
  return message as unknown as ViewMessage;
}

/** The address, if a click on it may open it: the web and mail, nothing that runs or reads. */
export function openable(target: string): string | undefined {
  return /^(https?:\/\/[^\s/]|mailto:[^\s])/i.test(target) && !/[\u0000-\u0020\u007f]/.test(target) ? target : undefined;
}

/** The words of the page. */
export interface ChatStrings {
  you: string;
  agent: string;
  system: string;
  tool: string;
  prompt: string;
  note: string;
  send: string;
  stop: string;
  queued: string;
  thinking: string;
  older: string;
  newer: string;
  latest: string;
  copy: string;
  copied: string;
  insert: string;
  fork: string;
  edit: string;
  editTitle: string;
  regenerate: string;
  regenerateTitle: string;
  cut: string;
  openTranscript: string;
  interrupted: string;
  cancelled: string;
  permission: string;
  feedback: string;
  diff: string;
  changed: string;
  revert: string;
  revertThese: string;
  cancel: string;
  empty: string;
  none: string;
  working: string;
  input: string;
  output: string;
  switchSession: string;
  changeMode: string;
  newSession: string;
  chooseAgent: string;
  calls: Record<ToolStatus, string>;
}

// Messages and tool calls as the chat's page gets them: cut to what can be shown. Pure.
import type { Message, ToolCall } from "../protocol";
import type { ShownCall, ShownMessage } from "./messages";

export const MOST_TEXT = 200_000;
export const MOST_TOOL_TEXT = 20_000;

export function shownMessage(message: Message): ShownMessage {
  return {
    id: message.id,
    seq: message.seq,
    role: message.role,
    text: message.content.slice(0, MOST_TEXT),
    cut: message.content.length > MOST_TEXT,
    timestamp: message.timestamp,
    thinking: (message.thinking ?? "").slice(0, MOST_TEXT),
    ...(message.state ? { state: message.state } : {}),
    calls: (message.toolCalls ?? []).map(shownCall),
  };
}

export function shownCall(call: ToolCall): ShownCall {
  const { id, messageId, name, kind, title, status } = call;
  return { id, messageId, name, kind, title, status, input: asText(call.arguments), output: asText(call.result) };
}

/** A text as it stands; of an object its one text, if it has no more, else all of it as JSON. */
function asText(value: unknown): string {
  if (value === undefined || value === null) return "";
  if (typeof value === "string") return cut(value);
  if (typeof value === "object" && !Object.keys(value).length) return "";
  const only = typeof value === "object" && Object.keys(value).length === 1 ? Object.values(value)[0] : undefined;
  return cut(typeof only === "string" ? only : JSON.stringify(value, undefined, 2));
}

function cut(text: string): string {
  return text.length > MOST_TOOL_TEXT ? `${text.slice(0, MOST_TOOL_TEXT)}\n…` : text;
}

// Messages and tool calls as the chat's page gets them: cut to what can be shown. Pure.
import type { Message, ToolCall } from "../protocol";
import { resultText, textOf } from "../sessions/document";
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
  return { id, messageId, name, kind, title, status, input: cut(textOf(call.arguments)), output: cut(resultText(call.result)) };
}

function cut(text: string): string {
  return text.length > MOST_TOOL_TEXT ? `${text.slice(0, MOST_TOOL_TEXT)}\n…` : text;
}

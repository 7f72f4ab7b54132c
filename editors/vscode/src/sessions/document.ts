// A session as a text to read, and on which line each message begins. Pure.
import type { Message } from "../protocol";

export interface Transcript {
  text: string;
  /** By seq, the line (from 0) of the message's heading. */
  lines: Map<number, number>;
}

/** `title` and `role` are the words to use; contents stand as they are. */
export function transcriptOf(title: string, messages: readonly Message[], role: (message: Message) => string): Transcript {
  const out = [`# ${title}`, ""];
  const lines = new Map<number, number>();
  for (const message of messages) {
    lines.set(message.seq, out.length);
    out.push(`## ${message.seq} · ${role(message)} · ${new Date(message.timestamp).toISOString().replace("T", " ").slice(0, 16)}`, "");
    if (message.thinking) out.push(...message.thinking.split("\n").map((line) => `> ${line}`), "");
    if (message.content) out.push(...message.content.split(/\r\n|\r|\n/), "");
    for (const call of message.toolCalls ?? []) out.push(`- \`${call.name}\` ${call.title} (${call.status})`, "");
  }
  return { text: out.join("\n"), lines };
}

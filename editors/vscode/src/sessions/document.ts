// A session as a text to read, and on which line each message begins. Pure.
import type { Message, ToolCall } from "../protocol";

export interface Heading {
  seq: number;
  /** From 0. */
  line: number;
  title: string;
}

export interface Transcript {
  text: string;
  /** Of each message, in order. */
  headings: Heading[];
}

export interface TranscriptWords {
  role(message: Message): string;
  status(call: ToolCall): string;
  input: string;
  output: string;
}

/** `title` and `words` are what to call things; contents stand as they are. */
export function transcriptOf(title: string, messages: readonly Message[], words: TranscriptWords): Transcript {
  const out = [`# ${title}`, ""];
  const headings: Heading[] = [];
  for (const message of messages) {
    const heading = `${message.seq} · ${words.role(message)} · ${new Date(message.timestamp).toISOString().replace("T", " ").slice(0, 16)}`;
    headings.push({ seq: message.seq, line: out.length, title: heading });
    out.push(`## ${heading}`, "");
    if (message.thinking) out.push(...linesOf(message.thinking).map((line) => `> ${line}`), "");
    if (message.content) out.push(...linesOf(message.content), "");
    for (const call of message.toolCalls ?? []) out.push(...callLines(call, words));
  }
  return { text: out.join("\n"), headings };
}

function callLines(call: ToolCall, { status, input, output }: TranscriptWords): string[] {
  const title = call.title && call.title !== call.name ? ` ${linesOf(call.title).join(" ")}` : "";
  return [
    `### \`${call.name}\`${title} (${status(call)})`, "",
    ...fenced(input, textOf(call.arguments)),
    ...fenced(output, resultText(call.result)),
  ];
}

/** In a fence that is longer than any in the text. */
function fenced(name: string, text: string): string[] {
  if (!text) return [];
  const longest = Math.max(2, ...[...text.matchAll(/`{3,}/g)].map(([ticks]) => ticks.length));
  const fence = "`".repeat(longest + 1);
  return [`${name}:`, "", fence, ...linesOf(text.replace(/\n$/, "")), fence, ""];
}

/** What a tool gave: the text it is told in, with the diff, if it has one; else all of it. */
export function resultText(value: unknown): string {
  const { text, diff } = (typeof value === "object" && value !== null ? value : {}) as { text?: unknown; diff?: unknown };
  if (typeof text !== "string") return textOf(value);
  return typeof diff === "string" && diff ? `${text}\n\n${diff}` : text;
}

/** A text as it stands; of an object its one text, if it has no more, else a line, or more, for each of its values. */
export function textOf(value: unknown): string {
  if (value === undefined || value === null) return "";
  if (typeof value === "string") return value;
  if (typeof value !== "object") return String(value);
  const values = Object.values(value);
  if (!values.length) return "";
  return values.length === 1 && typeof values[0] === "string" ? values[0] : Object.entries(value).map(([key, each]) => {
    const text = valueText(each);
    if (Array.isArray(value)) return text;
    return text.includes("\n") ? `${key}:\n${text}` : `${key}: ${text}`;
  }).join("\n");
}

/** A text as it stands, a list of texts as words; what is deeper in short. */
function valueText(value: unknown): string {
  if (typeof value === "string") return value;
  if (!Array.isArray(value) || !value.length || value.some((each) => typeof each !== "string")) return JSON.stringify(value);
  return value.map((word: string) => (!word || /[\s"]/.test(word) ? JSON.stringify(word) : word)).join(" ");
}

function linesOf(text: string): string[] {
  return text.split(/\r\n|\r|\n/);
}

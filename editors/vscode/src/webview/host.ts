// The page's line to the extension.
import type { ViewMessage } from "../chat/messages";

interface Api {
  postMessage(message: ViewMessage): void;
  getState(): unknown;
  setState(state: unknown): void;
}

declare function acquireVsCodeApi(): Api;

const api = acquireVsCodeApi();

export function say(message: ViewMessage): void {
  api.postMessage(message);
}

/** The unsent prompt of each session, which outlives the page. */
export function savedPrompts(): Record<string, string> {
  const state = api.getState();
  return typeof state === "object" && state !== null ? { ...(state as Record<string, string>) } : {};
}

export function savePrompts(prompts: Record<string, string>): void {
  api.setState(prompts);
}

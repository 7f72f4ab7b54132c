// A server as the parts under test know it: a test says what it answers and what it tells.
import type { PermissionRequest } from "../src/protocol";
import type { AnyEvent, PermissionAnswer } from "../src/server/contract";
import type { Server, ServerState } from "../src/server/server";
import { EventEmitter } from "./vscode";

export const FOLDER = "file:///project";

export class Served {
  state: ServerState = "stopped";
  readonly sent: [method: string, params: unknown][] = [];
  readonly answers: Record<string, () => unknown> = {};
  permissions: ((request: PermissionRequest, token: unknown) => Promise<PermissionAnswer>) | undefined;
  private readonly states = new EventEmitter<ServerState>();
  private readonly events = new EventEmitter<AnyEvent>();
  readonly onState = this.states.event;
  readonly onEvent = this.events.event;
  private heard = 0;

  /** As what the parts under test take. */
  get port(): Server {
    return this as unknown as Server;
  }

  has(): boolean {
    return this.state === "running";
  }

  use(): void {}

  starts = 0;

  async start(): Promise<void> {
    this.starts += 1;
  }

  async request(method: string, params: unknown): Promise<unknown> {
    this.sent.push([method, params]);
    return this.answers[method]?.() ?? { sessions: [], requests: [] };
  }

  become(state: ServerState): void {
    this.state = state;
    this.states.fire(state);
  }

  tell(type: string, data: unknown, sessionId = "s"): void {
    this.events.fire({ type, folder: FOLDER, sessionId, seq: ++this.heard, timestamp: 0, data } as AnyEvent);
  }
}

/** When everything has run that waits for nothing but its turn. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

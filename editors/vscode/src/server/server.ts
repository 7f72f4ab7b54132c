// The language server's life: found, started, watched, restarted; and every request to it. Knows no view.
import * as os from "node:os";
import * as path from "node:path";
import * as vscode from "vscode";
import { CloseAction, ErrorAction, LanguageClient, State, WorkDoneProgress } from "vscode-languageclient/node";
import { serveBridge } from "./bridge";
import { readOffer, type AnyEvent, type Method, type Methods, type Offer, type PermissionAnswer } from "./contract";
import { locate, locateByUvx, type Command, type Missing } from "./locate";
import { initializationOptions } from "./options";
import type { PermissionRequest } from "../protocol";
import { Single } from "./single";
import { surroundings } from "./surroundings";

export type ServerState = "stopped" | "starting" | "running" | "failed";
export type Permissions = (request: PermissionRequest, token: vscode.CancellationToken) => Promise<PermissionAnswer>;

const RETRIES = 3;
const RETRY_WINDOW_MS = 180_000;

export class NotRunning extends Error {}

/** Its failures are in the log, and the user is told of them once, by us, in the user's language. */
class QuietClient extends LanguageClient {
  override error(message: string, data?: unknown): void {
    super.error(message, data, false);
  }
}

export class Server implements vscode.Disposable {
  /** Who answers permission requests; without one they are cancelled. */
  permissions: Permissions | undefined;

  private readonly states = new vscode.EventEmitter<ServerState>();
  private readonly events = new vscode.EventEmitter<AnyEvent>();
  readonly onState = this.states.event;
  readonly onEvent = this.events.event;

  private client: LanguageClient | undefined;
  private offer: Offer = { methods: new Set(), version: "" };
  private current: ServerState = "stopped";
  private crashes: number[] = [];
  private byUvx = false;
  private works = 0;
  private disposed = false;
  private readonly starting = new Single(() => this.replace());

  /** Why the server could not be started, while the state is `failed`. */
  failure: Missing | Error | undefined;

  constructor(
    private readonly log: vscode.LogOutputChannel,
    private readonly serverLog: vscode.OutputChannel,
  ) {}

  get state(): ServerState {
    return this.current;
  }

  /** Start, or start anew with what the settings say now. Calls in quick succession become one. */
  start(): Promise<void> {
    return this.starting.run();
  }

  /** Start by fetching the pinned release: only after the user said so. False where `uvx` is not installed. */
  async startByUvx(): Promise<boolean> {
    this.byUvx = (await locateByUvx(await surroundings())) !== undefined;
    if (this.byUvx) await this.start();
    return this.byUvx;
  }

  has(method: Method): boolean {
    return this.current === "running" && this.offer.methods.has(method);
  }

  /** Start, if that was not asked for before. */
  use(): void {
    if (this.current === "stopped" && !this.disposed) void this.start();
  }

  /** Send a request, which starts the server if need be. Raises the server's error, and `NotRunning` where there is none. */
  async request<M extends Method>(method: M, params: Methods[M]["params"], token?: vscode.CancellationToken): Promise<Methods[M]["result"]> {
    if (this.current === "stopped" && !this.disposed) await this.start();
    if (this.current === "starting") await this.settled();
    const client = this.client;
    if (!client || this.current !== "running") throw new NotRunning(vscode.l10n.t("The Kore server is not running."));
    // Without a token there is no third argument: the client would take it for a second positional one.
    return token ? client.sendRequest(method, params, token) : client.sendRequest(method, params);
  }

  /** As `request`; `report` is told how much is done, in percent. */
  async requestWithProgress<M extends Method>(method: M, params: Methods[M]["params"], report: (percentage: number) => void): Promise<Methods[M]["result"]> {
    const workDoneToken = `${method}#${++this.works}`;
    const listening = this.client?.onProgress(WorkDoneProgress.type, workDoneToken, (value) => {
      if (value.kind === "report" && value.percentage !== undefined) report(value.percentage);
    });
    try {
      return await this.request(method, { ...params, workDoneToken });
    } finally {
      listening?.dispose();
    }
  }

  /** When the state is no longer `starting`. */
  private settled(): Promise<void> {
    return new Promise((resolve) => {
      const listening = this.onState((state) => {
        if (state === "starting") return;
        listening.dispose();
        resolve();
      });
    });
  }

  private async replace(): Promise<void> {
    this.become("starting");
    await this.stopClient();
    if (this.disposed) return;
    const around = await surroundings();
    const installed = await locate(around);
    const found = "missing" in installed && this.byUvx ? ((await locateByUvx(around)) ?? installed) : installed;
    if ("missing" in found) return this.fail(found);
    this.log.info(`starting ${found.command} ${found.args.join(" ")} (from: ${found.from})`);
    const client = this.build(found);
    this.client = client;
    try {
      await client.start();
    } catch (error) {
      return this.fail(error instanceof Error ? error : new Error(String(error)));
    }
    const { capabilities, serverInfo } = client.initializeResult ?? { capabilities: {} };
    this.offer = readOffer(capabilities, serverInfo?.version);
    this.failure = undefined;
    this.log.info(`running version ${this.offer.version} with ${this.offer.methods.size} methods`);
    this.become("running");
  }

  /** A client of its own for every start: handlers of a restarted one can be dead. */
  private build(found: Command): LanguageClient {
    const environment = { ...process.env };
    delete environment["PYTHONPATH"];
    const client = new QuietClient(
      "kore",
      "Kore",
      // The working directory is outside of every workspace: nothing there is imported or run by accident.
      { command: found.command, args: found.args, options: { cwd: path.parse(os.homedir()).root, env: environment } },
      {
        documentSelector: [{ scheme: "file" }],
        initializationOptions: initializationOptions(),
        outputChannel: this.serverLog,
        initializationFailedHandler: () => false,
        errorHandler: {
          error: () => ({ action: ErrorAction.Continue, handled: true }),
          closed: () => ({ action: CloseAction.DoNotRestart, handled: true }),
        },
      },
    );
    client.onNotification("kore/event", (event: AnyEvent) => {
      if (this.client === client) this.events.fire(event);
    });
    client.onRequest("kore/permission/request", (request: PermissionRequest, token: vscode.CancellationToken) =>
      this.permissions?.(request, token) ?? { outcome: "cancelled" },
    );
    serveBridge(client);
    client.onDidChangeState(({ newState }) => {
      if (newState === State.Stopped && this.client === client && this.current === "running") this.crashed();
    });
    return client;
  }

  private crashed(): void {
    const now = Date.now();
    this.crashes = [...this.crashes.filter((at) => now - at < RETRY_WINDOW_MS), now];
    this.log.error("the server ended unexpectedly");
    if (this.crashes.length > RETRIES) this.fail(new Error(vscode.l10n.t("The Kore server ended several times in a row.")));
    else void this.start();
  }

  private fail(failure: Missing | Error): void {
    this.failure = failure;
    this.log.error(failure instanceof Error ? failure.message : `no server: ${failure.missing}`);
    this.become("failed");
  }

  private become(state: ServerState): void {
    if (this.disposed || state === this.current) return;
    this.current = state;
    void vscode.commands.executeCommand("setContext", "kore.server", state);
    this.states.fire(state);
  }

  private async stopClient(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    if (!client) return;
    try {
      await client.dispose(5_000);
    } catch (error) {
      this.log.warn(`the server was stopped hard: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  async stop(): Promise<void> {
    this.disposed = true;
    await this.stopClient();
  }

  dispose(): void {
    void this.stop();
    this.states.dispose();
    this.events.dispose();
  }
}

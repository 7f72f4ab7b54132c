// Permission requests that wait for the user. Shows none of them itself; whoever does never takes the focus.
import * as vscode from "vscode";
import type { PermissionRequest } from "../protocol";
import { errorKind, type PermissionAnswer } from "../server/contract";
import { showFailure } from "../server/failures";
import type { Server } from "../server/server";
import { plain, shortened } from "../text";

const NAME_CHARS = 60;

interface Pending {
  request: PermissionRequest;
  folder: string | undefined;
  /** Answers the server's own request; a question that was there before us is answered by a method. */
  resolve?: (answer: PermissionAnswer) => void;
}

export class Permissions implements vscode.Disposable {
  private readonly pending = new Map<string, Pending>();
  private readonly changes = new vscode.EventEmitter<void>();
  readonly onChange = this.changes.event;
  private readonly subscriptions: vscode.Disposable[];

  /** `sees` tells whether the user sees the session's chat, `named` what it is called; `show` brings it up. */
  constructor(
    private readonly server: Server,
    private readonly sees: (sessionId: string) => boolean,
    private readonly named: (request: PermissionRequest) => string | undefined,
    private readonly show: (request: PermissionRequest, folder: string | undefined) => void,
  ) {
    server.permissions = (request, token) => this.serve(request, token);
    this.subscriptions = [
      server.onEvent((event) => {
        if (event.type === "permission.asked") this.add(event.data.request, event.folder);
        else if (event.type === "permission.resolved") this.remove(event.data.requestId);
      }),
      server.onState((state) => (state === "running" ? void this.load() : this.clear())),
    ];
  }

  /** What has waited longest. */
  get first(): PermissionRequest | undefined {
    return this.pending.values().next().value?.request;
  }

  /** Bring up what has waited longest. */
  look(): void {
    const first = this.pending.values().next().value;
    if (first) this.show(first.request, first.folder);
    else void vscode.window.showInformationMessage(vscode.l10n.t("No agent asks anything."));
  }

  of(sessionId: string): PermissionRequest[] {
    return [...this.pending.values()].map(({ request }) => request).filter((request) => request.sessionId === sessionId);
  }

  /** Answer with one of the request's options. The first answer wins, wherever it came from. */
  async answer(requestId: string, optionId: string, feedback: string): Promise<void> {
    const pending = this.pending.get(requestId);
    if (!pending?.request.options.some((option) => option.id === optionId)) return;
    const answer: PermissionAnswer = { outcome: "selected", optionId, ...(feedback.trim() ? { feedback: feedback.trim() } : {}) };
    this.remove(requestId, answer);
    if (pending.resolve) return;
    const folder = pending.folder === undefined ? {} : { folder: pending.folder };
    try {
      await this.server.request("kore/permission/answer", { requestId, ...answer, ...folder });
    } catch (error) {
      if (errorKind(error) !== "turnNotFound" && this.server.state === "running" && !this.pending.has(requestId)) {
        this.pending.set(requestId, pending);
        this.changes.fire();
      }
      throw error;
    }
  }

  private serve(request: PermissionRequest, token: vscode.CancellationToken): Promise<PermissionAnswer> {
    return new Promise((resolve) => {
      token.onCancellationRequested(() => this.remove(request.requestId));
      const known = this.pending.get(request.requestId);
      this.pending.set(request.requestId, { request, folder: known?.folder, resolve });
      this.changes.fire();
      if (!known) void this.tell(request);
    });
  }

  private add(request: PermissionRequest, folder: string): void {
    const known = this.pending.get(request.requestId);
    if (known) {
      known.folder = folder;
      return;
    }
    this.pending.set(request.requestId, { request, folder });
    this.changes.fire();
    void this.tell(request);
  }

  private remove(requestId: string, answer: PermissionAnswer = { outcome: "cancelled" }): void {
    const pending = this.pending.get(requestId);
    if (!pending) return;
    this.pending.delete(requestId);
    pending.resolve?.(answer);
    this.changes.fire();
  }

  private clear(): void {
    for (const id of [...this.pending.keys()]) this.remove(id);
  }

  /** What was asked before this window came. */
  private async load(): Promise<void> {
    if (!this.server.has("kore/permission/list")) return;
    for (const folder of vscode.workspace.workspaceFolders ?? []) {
      const uri = folder.uri.toString();
      try {
        const { requests } = await this.server.request("kore/permission/list", { folder: uri });
        for (const request of requests) this.add(request, uri);
      } catch {
        // A folder that can't be read is told of elsewhere, and has no open questions.
      }
    }
  }

  /** A notice, where the chat is not in sight. Rejecting comes first; closing the notice answers nothing, and a change
   *  is only allowed where it is seen. */
  private async tell(request: PermissionRequest): Promise<void> {
    if (this.sees(request.sessionId)) return;
    const { t } = vscode.l10n;
    const [reject, allow, look] = [t("Reject"), t("Allow once"), t("Look")];
    const name = plain(shortened(this.named(request) ?? "–", NAME_CHARS));
    const text = t("The agent of “{0}” asks for permission: {1}", name, plain(request.summary));
    const choices = request.diff === undefined ? [reject, allow, look] : [reject, look];
    const chosen = await vscode.window.showWarningMessage(text, ...choices);
    if (chosen === look) return this.show(request, this.pending.get(request.requestId)?.folder);
    const kind = chosen === allow ? "allowOnce" : chosen === reject ? "rejectOnce" : undefined;
    const option = request.options.find((each) => each.kind === kind);
    if (option) await this.answer(request.requestId, option.id, "").catch(showFailure);
  }

  dispose(): void {
    for (const each of this.subscriptions) each.dispose();
    this.clear();
    this.changes.dispose();
  }
}

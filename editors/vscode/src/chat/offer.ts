// Where nobody answered a plain prompt: who could, offered once for each session. Knows no page, and changes a session only when told to.
import * as vscode from "vscode";
import type { AgentBackend, Session } from "../protocol";
import { agentName, chosen, isPlain, NOBODY, usableInstead } from "../sessions/backends";
import type { Server } from "../server/server";
import { visible } from "../text";
import type { HostMessage } from "./messages";

type Key = { sessionId: string; folder: string };

export class AgentOffer {
  /** Sessions that had theirs. */
  private readonly made = new Set<string>();
  private open: { key: Key; agent: AgentBackend; more: boolean } | undefined;
  /** What was asked last in the shown session. */
  prompt = "";

  constructor(
    private readonly server: Server,
    private readonly post: (message: HostMessage) => void,
  ) {}

  /** A turn of the session has ended well; `stillThere` once the server was asked. */
  async make(key: Key, stillThere: () => boolean): Promise<void> {
    if (!isPlain(this.prompt) || this.made.has(key.sessionId) || !this.server.has("kore/agent/list")) return;
    const [{ backends }, session] = await Promise.all([this.server.request("kore/agent/list", {}), this.server.request("kore/session/get", key)]);
    const [agent, ...others] = usableInstead(backends, session.agent);
    if (!agent || !stillThere()) return;
    this.made.add(key.sessionId);
    this.open = { key, agent, more: others.length > 0 };
    this.show(key.sessionId);
  }

  /** Show what is open about the session, again where its page was made anew. */
  show(sessionId: string): void {
    if (this.open?.key.sessionId !== sessionId) return;
    const { agent, more } = this.open;
    this.post({ type: "offer", label: vscode.l10n.t("Answer with {0} from now on", agentName(agent)), more });
  }

  async take(): Promise<void> {
    if (this.open) await this.server.request("kore/session/update", { ...this.open.key, agent: chosen(this.open.agent) });
  }

  /** The session has changed: who has an agent needs no offer. */
  follow({ id, agent }: Session): void {
    if (this.open?.key.sessionId !== id || !agent || agent.backend === NOBODY) return;
    this.open = undefined;
    this.post({ type: "offer", text: vscode.l10n.t("The next prompt is answered by {0}.", visible(agent.model ?? agent.name ?? agent.backend)) });
  }

  withdraw(): void {
    this.open = undefined;
    this.post({ type: "offer" });
  }
}

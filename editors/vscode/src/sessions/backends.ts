// Which agent answers a session, and who could in its place. Pure.
import type { AgentBackend, AgentChoice, AgentParams } from "../protocol";
import { plain } from "../text";

/** The agent that keeps what it is told as a note. */
export const NOBODY = "builtin";

/** Whether the session, by its choice or the default, is answered by this one. */
export function isCurrent(each: AgentBackend, choice: AgentChoice | undefined): boolean {
  if (!choice) return each.default;
  return each.backend === choice.backend && (choice.model ?? each.model) === each.model && (choice.name ?? choice.backend) === (each.preset ?? each.backend);
}

/** An agent as `kore/session/update` takes it. */
export function chosen({ backend, model, preset }: AgentBackend): AgentParams {
  return { backend, ...(model ? { model } : {}), ...(preset ? { preset } : {}) };
}

export function agentName({ backend, model, preset }: AgentBackend): string {
  return plain(model ?? preset ?? backend);
}

/** Whether a prompt is one that the builtin agent can only keep: no slash command. */
export function isPlain(prompt: string): boolean {
  return !/^\s*[/／]/.test(prompt);
}

/** Who could answer a session that nobody answers; none where somebody does. */
export function usableInstead(backends: readonly AgentBackend[], choice: AgentChoice | undefined): AgentBackend[] {
  const now = choice?.backend ?? backends.find((each) => each.default)?.backend;
  return now === NOBODY ? backends.filter(({ available, backend }) => available && backend !== NOBODY) : [];
}

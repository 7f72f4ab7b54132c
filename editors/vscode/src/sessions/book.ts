// The sessions of the open folders as last heard of. Pure: asks nobody, shows nothing.
import type { KoreErrorKind, Message, Session } from "../protocol";
import type { AnyEvent } from "../server/contract";

export interface Shelf {
  folder: string;
  sessions: Session[];
  nextCursor?: string;
  /** Sessions that are not among these, as they can't be read: their ids. */
  damaged: readonly string[];
  /** Why the folder's sessions can't be read. */
  trouble?: KoreErrorKind;
}

/** What an event means to who shows the sessions: nothing, that something changed, or that a folder must be read anew. */
export type Effect = "none" | "changed" | "reload";

export class Book {
  private readonly shelves = new Map<string, Shelf>();
  /** What was heard of folders since their pages were asked for: a page may have been read before it happened. */
  private readonly heard = new Map<string, AnyEvent[]>();

  get folders(): string[] {
    return [...this.shelves.keys()];
  }

  shelf(folder: string): Shelf | undefined {
    return this.shelves.get(folder);
  }

  /** A folder's page is asked for: what events say from now on counts more than the page, whichever arrives first. */
  expect(folder: string): void {
    this.heard.set(folder, []);
  }

  /** A folder's first page, in place of what was known of it. */
  read(folder: string, sessions: readonly Session[], nextCursor?: string, damaged: readonly string[] = []): void {
    this.shelves.set(folder, { folder, sessions: sorted(sessions), damaged: [...new Set(damaged)], ...(nextCursor ? { nextCursor } : {}) });
    const missed = this.heard.get(folder) ?? [];
    this.heard.delete(folder);
    for (const event of missed) this.apply(event);
  }

  /** A further page. */
  readMore(folder: string, sessions: readonly Session[], nextCursor?: string, damaged: readonly string[] = []): void {
    const shelf = this.shelf(folder);
    const known = new Map(shelf?.sessions.map((each) => [each.id, each]));
    for (const each of sessions) known.set(each.id, each);
    this.read(folder, [...known.values()], nextCursor, [...(shelf?.damaged ?? []), ...damaged]);
  }

  trouble(folder: string, kind: KoreErrorKind): void {
    this.heard.delete(folder);
    this.shelves.set(folder, { folder, sessions: [], damaged: [], trouble: kind });
  }

  /** Forget the folders that are not among these. */
  keep(folders: readonly string[]): void {
    for (const folder of this.folders) if (!folders.includes(folder)) this.shelves.delete(folder);
  }

  find(sessionId: string, folder?: string): Session | undefined {
    for (const shelf of this.shelves.values()) {
      if (folder !== undefined && shelf.folder !== folder) continue;
      const session = shelf.sessions.find((each) => each.id === sessionId);
      if (session) return session;
    }
    return undefined;
  }

  active(folder: string): Session | undefined {
    return this.shelf(folder)?.sessions.find((each) => each.active);
  }

  apply(event: AnyEvent): Effect {
    this.heard.get(event.folder)?.push(event);
    const shelf = this.shelf(event.folder);
    if (!shelf || shelf.trouble) return event.type.startsWith("session.") || event.type === "store.changed" ? "reload" : "none";
    switch (event.type) {
      case "session.created":
      case "session.updated":
      case "session.closed":
      case "session.restored":
        return this.put(shelf, event.data.session);
      case "session.switched":
        for (const each of shelf.sessions) if (each.active) this.put(shelf, { ...each, active: false });
        return this.put(shelf, event.data.session);
      case "session.deleted":
        return this.remove(shelf, event.data.session.id);
      case "message.added":
        return this.count(shelf, event.data.message);
      case "turn.started":
        return this.status(shelf, event.sessionId, "running");
      case "store.changed":
      case "store.locked":
        return "reload";
      default:
        return "none";
    }
  }

  private put(shelf: Shelf, session: Session): Effect {
    if (session.deleted || session.archived) return this.remove(shelf, session.id);
    shelf.sessions = sorted([session, ...shelf.sessions.filter((each) => each.id !== session.id)]);
    return "changed";
  }

  private remove(shelf: Shelf, id: string): Effect {
    const before = shelf.sessions.length;
    shelf.sessions = shelf.sessions.filter((each) => each.id !== id);
    return shelf.sessions.length === before ? "none" : "changed";
  }

  private count(shelf: Shelf, message: Message): Effect {
    const session = shelf.sessions.find((each) => each.id === message.sessionId);
    if (!session) return "reload";
    if (message.seq <= session.messageCount) return "none";
    return this.put(shelf, { ...session, messageCount: message.seq, updatedAt: Math.max(session.updatedAt, message.timestamp) });
  }

  private status(shelf: Shelf, id: string | undefined, status: Session["status"]): Effect {
    const session = shelf.sessions.find((each) => each.id === id);
    return session && session.status !== status ? this.put(shelf, { ...session, status }) : "none";
  }
}

/** The order of the server's list: pinned first, then the newest. */
function sorted(sessions: readonly Session[]): Session[] {
  return [...sessions].sort(
    (a, b) => Number(b.pinned ?? false) - Number(a.pinned ?? false) || b.updatedAt - a.updatedAt || (a.id < b.id ? 1 : -1),
  );
}

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Message, Session } from "../src/protocol";
import type { AnyEvent } from "../src/server/contract";
import { Book } from "../src/sessions/book";

const FOLDER = "file:///project";

function session(id: string, more: Partial<Session> = {}): Session {
  return {
    id, name: id, folder: FOLDER, mode: "build", status: "idle", active: false,
    createdAt: 1, updatedAt: 1, messageCount: 0, metadata: {}, tags: [], ...more,
  };
}

function message(sessionId: string, seq: number): Message {
  return { id: `m${seq}`, sessionId, seq, role: "user", content: "", timestamp: 100 + seq, metadata: {} };
}

let sent = 0;
function event(type: string, data: unknown, more: object = {}): AnyEvent {
  return { type, folder: FOLDER, seq: ++sent, timestamp: 0, data, ...more } as AnyEvent;
}

function bookOf(...sessions: Session[]): Book {
  const book = new Book();
  book.read(FOLDER, sessions);
  return book;
}

const ids = (book: Book): string[] => book.shelf(FOLDER)!.sessions.map((each) => each.id);

test("pinned sessions come first, then the newest", () => {
  assert.deepEqual(ids(bookOf(session("old"), session("pin", { pinned: true }), session("new", { updatedAt: 9 }))), ["pin", "new", "old"]);
});

test("a created, renamed or closed session is in its place at once", () => {
  const book = bookOf(session("a", { updatedAt: 5 }));
  assert.equal(book.apply(event("session.created", { session: session("b", { updatedAt: 6 }) })), "changed");
  assert.equal(book.apply(event("session.updated", { session: session("a", { updatedAt: 7, name: "neu" }) })), "changed");
  assert.deepEqual(ids(book), ["a", "b"]);
  assert.equal(book.find("a")?.name, "neu");
});

test("a page that was read before something happened does not undo it", () => {
  const book = bookOf(session("a"));
  book.expect(FOLDER);
  book.apply(event("session.created", { session: session("b", { updatedAt: 6 }) }));
  book.apply(event("turn.started", {}, { sessionId: "a" }));
  book.apply(event("session.deleted", { session: session("c") }));
  book.read(FOLDER, [session("c"), session("a")]);
  assert.deepEqual(ids(book), ["b", "a"]);
  assert.equal(book.find("a")?.status, "running");
  book.read(FOLDER, [session("a")]);
  assert.deepEqual(ids(book), ["a"]);
});

test("only one session of a folder is active", () => {
  const book = bookOf(session("a", { active: true }), session("b"));
  book.apply(event("session.switched", { session: session("b", { active: true }), previousId: "a" }));
  assert.equal(book.active(FOLDER)?.id, "b");
  assert.equal(book.find("a")?.active, false);
});

test("a deleted or archived session leaves the list and comes back when it is restored", () => {
  const book = bookOf(session("a"), session("b"));
  book.apply(event("session.deleted", { session: session("a", { deleted: true }) }));
  book.apply(event("session.updated", { session: session("b", { archived: true }) }));
  assert.deepEqual(ids(book), []);
  book.apply(event("session.restored", { session: session("a") }));
  assert.deepEqual(ids(book), ["a"]);
});

test("a message moves its session up and is counted once", () => {
  const book = bookOf(session("a", { updatedAt: 50 }), session("b", { updatedAt: 60 }));
  assert.equal(book.apply(event("message.added", { message: message("a", 1) })), "changed");
  assert.equal(book.apply(event("message.added", { message: message("a", 1) })), "none");
  assert.deepEqual(ids(book), ["a", "b"]);
  assert.equal(book.find("a")?.messageCount, 1);
});

test("what another process changed, and what is not known, is read anew", () => {
  const book = bookOf();
  assert.equal(book.apply(event("store.changed", { sessions: [], kinds: [] })), "reload");
  assert.equal(book.apply(event("message.added", { message: message("unknown", 1) })), "reload");
  book.trouble(FOLDER, "storeLocked");
  assert.equal(book.apply(event("session.created", { session: session("a") })), "reload");
});

test("further pages add to the list", () => {
  const book = new Book();
  book.read(FOLDER, [session("a", { updatedAt: 9 })], "cursor");
  book.readMore(FOLDER, [session("b", { updatedAt: 3 })]);
  assert.deepEqual(ids(book), ["a", "b"]);
  assert.equal(book.shelf(FOLDER)?.nextCursor, undefined);
});

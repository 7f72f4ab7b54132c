// What a key does in the prompt box. Pure.

export interface Key {
  key: string;
  keyCode: number;
  isComposing: boolean;
  shiftKey: boolean;
  ctrlKey: boolean;
  altKey: boolean;
  metaKey: boolean;
}

export interface Box {
  value: string;
  selectionStart: number;
  selectionEnd: number;
}

/** Some browsers end a composition before they report the Enter that ended it; that Enter still has this code. */
const COMPOSING = 229;

export function meaning(event: Key, box: Box): "send" | "back" | "forward" | undefined {
  if (event.isComposing || event.keyCode === COMPOSING) return undefined;
  if (event.key === "Enter" && !event.shiftKey && !event.altKey) return "send";
  if (event.shiftKey || event.ctrlKey || event.altKey || event.metaKey) return undefined;
  if (box.selectionStart !== box.selectionEnd) return undefined;
  if (event.key === "ArrowUp" && !box.value.slice(0, box.selectionStart).includes("\n")) return "back";
  if (event.key === "ArrowDown" && !box.value.slice(box.selectionEnd).includes("\n")) return "forward";
  return undefined;
}

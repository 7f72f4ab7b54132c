// Text that others wrote, made safe for the places an editor shows it in. Pure.

const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060-\u2069\ufeff]/g;

/** On one line; what steers or reorders text is shown as a sign of its own. */
export function visible(text: string): string {
  return text.replace(/[\r\n\t]+/g, " ").replace(UNSEEN, (sign) => {
    const code = sign.codePointAt(0) ?? 0;
    return code < 0x20 ? String.fromCodePoint(0x2400 + code) : "\ufffd";
  });
}

/** As it stands on its own lines, with its tabs; what steers or reorders them is shown as a sign of its own. */
export function visibleLines(text: string): string {
  return text.split(/\r?\n/).map((line) => line.split("\t").map(visible).join("\t")).join("\n");
}

/** For labels in which `$(name)` would become an icon: quick picks and the status bar. */
export function label(text: string): string {
  return visible(text).replace(/\$\(/g, "\\$(");
}

/** For notices, in which `[text](target)` would become a link. */
export function plain(text: string): string {
  return visible(text).replace(/\](?=\()/g, "] ");
}

/** At most `length` UTF-16 units, without half a character at the end. */
export function shortened(text: string, length: number): string {
  if (text.length <= length) return text;
  const end = /[\ud800-\udbff]/.test(text.charAt(length - 2)) ? length - 2 : length - 1;
  return `${text.slice(0, end)}…`;
}

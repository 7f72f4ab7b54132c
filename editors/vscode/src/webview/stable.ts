// How much of a text that is still being written will read the same when more comes: whole blocks, outside of fences. Pure.

/** The length of the part, from `from` (itself the end of a block), that ends with a blank line outside of any fence. */
export function stableLength(text: string, from = 0): number {
  let stable = from;
  let fence = "";
  for (let start = from; ; ) {
    const end = text.indexOf("\n", start);
    if (end < 0) return stable;
    const line = text.slice(start, end);
    const mark = /^ {0,3}(`{3,}|~{3,})(.*)$/.exec(line);
    if (mark) {
      const [, sign = "", rest = ""] = mark;
      if (!fence) fence = sign;
      else if (sign[0] === fence[0] && sign.length >= fence.length && !rest.trim()) fence = "";
    } else if (!fence && !line.trim() && !/^( {2,}|\t|[-*+] |\d+[.)] |[>|])/.test(text.slice(end + 1))) {
      stable = end + 1;
    }
    start = end + 1;
  }
}

// Tags as they are typed. Pure.

const MOST = 64;
const LONGEST = 100;

/** The tags in a text, each once; or why they can't be tags. Commas of either width part them, a leading # is not part of one. */
export function tagsIn(text: string): string[] | "tooMany" | "tooLong" {
  const tags = [...new Set(text.split(/[,，、]/).map((each) => each.trim().replace(/^#/, "").trim()).filter(Boolean))];
  if (tags.length > MOST) return "tooMany";
  return tags.some((each) => each.length > LONGEST) ? "tooLong" : tags;
}

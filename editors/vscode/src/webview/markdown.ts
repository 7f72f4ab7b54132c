// Markdown that others wrote, as elements. HTML in it is text, pictures are words, links do nothing until they are clicked.
import DOMPurify from "dompurify";
import MarkdownIt from "markdown-it";
import type { ChatStrings } from "../chat/messages";
import { openable } from "../chat/messages";
import { visible, visibleLines } from "../text";
import { button, h } from "./dom";
import { say } from "./host";

const TAGS = [
  "p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "em", "strong", "s", "code", "pre", "blockquote", "ul", "ol", "li",
  "table", "thead", "tbody", "tr", "th", "td", "a", "span",
];

const parser = new MarkdownIt({ html: false, linkify: false, typographer: false, breaks: true });
parser.validateLink = (target) => openable(target) !== undefined;
parser.renderer.rules["image"] = (tokens, index) => `<span>[${parser.utils.escapeHtml(tokens[index]?.content || "…")}]</span>`;

export function markdown(text: string, strings: ChatStrings): DocumentFragment {
  const fragment = DOMPurify.sanitize(parser.render(text), {
    ALLOWED_TAGS: TAGS,
    ALLOWED_ATTR: ["href", "class", "start"],
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    RETURN_DOM_FRAGMENT: true,
  });
  for (const link of fragment.querySelectorAll("a")) tame(link);
  for (const word of fragment.querySelectorAll(":not(pre) > code")) word.textContent = visible(word.textContent ?? "");
  for (const block of fragment.querySelectorAll("pre")) frame(block, strings);
  for (const table of fragment.querySelectorAll("table")) {
    const box = h("div", "table");
    table.replaceWith(box);
    box.append(table);
  }
  return fragment;
}

/** Without its address an anchor leads nowhere by itself; a click asks the editor, which shows where it leads. */
function tame(link: HTMLAnchorElement): void {
  const target = openable(link.getAttribute("href") ?? "");
  link.removeAttribute("href");
  link.removeAttribute("class");
  if (!target) return;
  link.title = target;
  link.tabIndex = 0;
  link.setAttribute("role", "link");
  link.addEventListener("click", () => say({ type: "link", target }));
  link.addEventListener("keydown", (event) => {
    if (event.key === "Enter") say({ type: "link", target });
  });
}

function frame(block: HTMLElement, strings: ChatStrings): void {
  const code = block.textContent ?? "";
  if (block.firstElementChild) block.firstElementChild.textContent = visibleLines(code);
  const language = /language-(\S+)/.exec(block.firstElementChild?.className ?? "")?.[1] ?? "";
  const copy = button(strings.copy, "quiet", () => {
    say({ type: "copy", text: code });
    copy.textContent = strings.copied;
  });
  const insert = button(strings.insert, "quiet", () => say({ type: "insert", text: code }));
  const box = h("div", "code", h("div", "code-head", h("span", "language", visible(language)), copy, insert));
  block.replaceWith(box);
  box.append(block);
}

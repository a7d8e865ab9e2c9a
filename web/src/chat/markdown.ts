// The part of Markdown that language models write, as a tree. Text that is still growing is read the same way, so an
// unclosed fence is code to the end. Nothing here makes HTML: chat/Markdown.tsx makes elements of the tree.
export type Inline =
  | { kind: "text" | "code"; text: string }
  | { kind: "strong" | "em" | "strike"; children: Inline[] }
  | { kind: "link"; href: string; children: Inline[] };

export type Block =
  | { kind: "paragraph"; children: Inline[] }
  | { kind: "heading"; level: number; children: Inline[] }
  | { kind: "code"; language: string; text: string }
  | { kind: "quote"; children: Block[] }
  | { kind: "list"; ordered: boolean; start: number; items: Block[][] }
  | { kind: "table"; align: Align[]; head: Inline[][]; rows: Inline[][][] }
  | { kind: "rule" };

export type Align = "left" | "center" | "right" | undefined;

const FENCE = /^ {0,3}(```+|~~~+)([^`~]*)$/;
const HEADING = /^ {0,3}(#{1,6})\s+([^]*)$/;
const RULE = /^ {0,3}([-*_])\s*(?:\1\s*){2,}$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( {0,3})(?:([-*+])|(\d{1,9})[.)])( +|$)/;
const TO_DO = /^\[([ xX])\] /;
const TABLE_RULE = /^ {0,3}\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$/;
const DEPTH_MAX = 8;

export function parse(source: string, depth = 0): Block[] {
  const lines = source.split("\n");
  const blocks: Block[] = [];
  let at = 0;
  while (at < lines.length) {
    const line = lines[at] ?? "";
    if (line.trim() === "") {
      at += 1;
      continue;
    }
    const [block, next] = readBlock(lines, at, depth);
    blocks.push(block);
    at = next;
  }
  return blocks;
}

function readBlock(lines: string[], at: number, depth: number): [Block, number] {
  const line = lines[at] ?? "";
  const fence = FENCE.exec(line);
  if (fence) return readFence(lines, at, fence[1] ?? "```", (fence[2] ?? "").trim());
  const heading = HEADING.exec(line);
  if (heading)
    return [
      { kind: "heading", level: (heading[1] ?? "#").length, children: inline(unclosed(heading[2] ?? "")) },
      at + 1,
    ];
  if (RULE.test(line)) return [{ kind: "rule" }, at + 1];
  if (depth < DEPTH_MAX && QUOTE.test(line)) return readQuote(lines, at, depth);
  if (depth < DEPTH_MAX && ITEM.test(line)) return readList(lines, at, depth);
  if (line.includes("|") && TABLE_RULE.test(lines[at + 1] ?? "") && (lines[at + 1] ?? "").includes("-")) {
    return readTable(lines, at);
  }
  return readParagraph(lines, at);
}

/** Without the marks that may close a heading, which have a space before them: "C#" is a name. Not part of its pattern,
 * which would try every way to divide spaces. */
const unclosed = (heading: string): string =>
  heading
    .trimEnd()
    .replace(/(?:^|\s)#+$/, "")
    .trimEnd();

function readFence(lines: string[], at: number, mark: string, language: string): [Block, number] {
  const body: string[] = [];
  let next = at + 1;
  for (; next < lines.length; next += 1) {
    const line = lines[next] ?? "";
    if (line.trim().startsWith(mark) && line.trim().replaceAll(mark.charAt(0), "") === "") break;
    body.push(line);
  }
  return [{ kind: "code", language, text: body.join("\n") }, next + 1];
}

function readQuote(lines: string[], at: number, depth: number): [Block, number] {
  let next = at;
  while (next < lines.length && QUOTE.test(lines[next] ?? "")) next += 1;
  const inner = lines.slice(at, next).map((line) => line.replace(QUOTE, ""));
  return [{ kind: "quote", children: parse(inner.join("\n"), depth + 1) }, next];
}

function readList(lines: string[], at: number, depth: number): [Block, number] {
  const first = ITEM.exec(lines[at] ?? "");
  const ordered = first?.[3] !== undefined;
  const items: string[][] = [];
  let next = at;
  let indent = 0;
  for (; next < lines.length; next += 1) {
    const line = lines[next] ?? "";
    const item = ITEM.exec(line);
    const deeper = line.search(/\S/) >= indent && items.length > 0;
    if (item && !deeper) {
      if ((item[3] !== undefined) !== ordered || RULE.test(line)) break;
      indent = Math.max(2, item[0].length);
      items.push([line.slice(item[0].length).replace(TO_DO, (_, done: string) => (done === " " ? "☐ " : "☑ "))]);
    } else if (line.trim() === "") {
      const after = lines[next + 1] ?? "";
      if (after.trim() === "" || (after.search(/\S/) < indent && !ITEM.test(after))) break;
      items.at(-1)?.push("");
    } else if (deeper) items.at(-1)?.push(line.slice(indent));
    else if (items.at(-1)?.at(-1) === "" || HEADING.test(line) || FENCE.test(line)) break;
    else items.at(-1)?.push(line.trimStart()); // a paragraph that goes on without its indent
  }
  const start = Number(first?.[3] ?? 1);
  return [{ kind: "list", ordered, start, items: items.map((item) => parse(item.join("\n"), depth + 1)) }, next];
}

function readTable(lines: string[], at: number): [Block, number] {
  const split = (line: string) =>
    line
      .trim()
      .replace(/^\||\|$/g, "")
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim());
  // A cell has no other way to begin a line.
  const cells = (line: string) =>
    split(line).map((cell) => inline(cell.replaceAll("\\|", "|").replace(/<br ?\/?>/g, "\n")));
  let next = at + 2;
  const rows: Inline[][][] = [];
  for (; next < lines.length && (lines[next] ?? "").includes("|"); next += 1) rows.push(cells(lines[next] ?? ""));
  const align = split(lines[at + 1] ?? "").map(alignOf);
  return [{ kind: "table", align, head: cells(lines[at] ?? ""), rows }, next];
}

function alignOf(rule: string): Align {
  if (rule.endsWith(":")) return rule.startsWith(":") ? "center" : "right";
  return rule.startsWith(":") ? "left" : undefined;
}

function readParagraph(lines: string[], at: number): [Block, number] {
  let next = at + 1;
  const ends = (line: string) =>
    line.trim() === "" ||
    FENCE.test(line) ||
    HEADING.test(line) ||
    RULE.test(line) ||
    QUOTE.test(line) ||
    ITEM.test(line);
  while (next < lines.length && !ends(lines[next] ?? "")) next += 1;
  return [{ kind: "paragraph", children: inline(lines.slice(at, next).join("\n").trim()) }, next];
}

// --- inside a line ----------------------------------------------------------------------------------------------

// Each begins with another character or is tried in this order; none can backtrack over the whole text twice.
const SPAN = new RegExp(
  [
    /\\(?<escaped>[\\`*_~[\](){}#+.!|>-])/,
    /(?<ticks>`+)(?<code>[^`]+?)\k<ticks>(?!`)/,
    /\[(?<label>[^\][\n]{1,500})\]\((?<href>[^\s()<>]{1,2000})\)/,
    /<?(?<url>https?:\/\/[^\s<>()]{1,2000})>?/,
    /(?<bold>\*\*|__)(?=\S)(?<strong>[^\n]{0,2000}?\S)\k<bold>/,
    /~~(?=\S)(?<strike>[^\n~]+)~~/,
    /(?<![\w*])\*(?=[^\s*])(?<star>[^*\n]*?[^\s*])\*/,
    /(?<!\w)_(?=[^\s_])(?<under>[^_\n]*?[^\s_])_(?!\w)/,
  ]
    .map((part) => part.source)
    .join("|"),
  "g",
);

export function inline(source: string, depth = 0): Inline[] {
  if (depth > DEPTH_MAX) return [{ kind: "text", text: source }];
  const parts: Inline[] = [];
  let end = 0;
  const plain = (text: string) => {
    const last = parts.at(-1);
    if (last?.kind === "text") last.text += text;
    else if (text !== "") parts.push({ kind: "text", text });
  };
  for (const match of source.matchAll(SPAN)) {
    plain(source.slice(end, match.index));
    end = match.index + match[0].length;
    const part = span(match, depth);
    for (const found of Array.isArray(part) ? part : [part]) {
      if (found.kind === "text") plain(found.text);
      else parts.push(found);
    }
  }
  plain(source.slice(end));
  return parts;
}

function span(match: RegExpExecArray, depth: number): Inline | Inline[] {
  const [whole] = match;
  const { escaped, code, label, href, url, strong, strike, star, under } = match.groups ?? {};
  if (escaped !== undefined) return { kind: "text", text: escaped };
  if (code !== undefined) return { kind: "code", text: code.replace(/^ (.*\S.*) $/, "$1") };
  if (label !== undefined && href !== undefined) {
    return isSafe(href) ? { kind: "link", href, children: inline(label, depth + 1) } : { kind: "text", text: whole };
  }
  if (url !== undefined) {
    // A stop at the end of a sentence is no part of the address.
    const tail = whole.startsWith("<") ? "" : (/[.,;:!?'"]+$/.exec(url)?.[0] ?? "");
    const address = url.slice(0, url.length - tail.length);
    return [
      { kind: "link", href: address, children: [{ kind: "text", text: address }] },
      { kind: "text", text: tail },
    ];
  }
  if (strong !== undefined) return { kind: "strong", children: inline(strong, depth + 1) };
  if (strike !== undefined) return { kind: "strike", children: inline(strike, depth + 1) };
  return { kind: "em", children: inline(star ?? under ?? "", depth + 1) };
}

/** Only addresses that cannot run anything. */
function isSafe(href: string): boolean {
  return /^(https?:|mailto:|tel:|\/(?!\/)|#)/i.test(href);
}

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Block, type Inline, parse } from "../src/chat/markdown.ts";

/** A tree as one line, so that a case is one line too. */
const plain = (parts: Inline[]): string =>
  parts
    .map((part) =>
      "text" in part ? (part.kind === "code" ? `c(${part.text})` : part.text) : `${part.kind}(${plain(part.children)})`,
    )
    .join("");
const shape = (blocks: Block[]): string =>
  blocks
    .map((block) => {
      switch (block.kind) {
        case "rule":
          return "rule";
        case "code":
          return `code[${block.language}](${block.text})`;
        case "quote":
          return `quote(${shape(block.children)})`;
        case "list":
          return `${block.ordered ? `ol${block.start}` : "ul"}(${block.items.map(shape).join(" | ")})`;
        case "table": {
          const align = block.align.some(Boolean) ? `[${block.align.map((side) => side ?? "").join(",")}]` : "";
          return `table${align}(${[block.head, ...block.rows].map((row) => row.map(plain).join(",")).join(" / ")})`;
        }
        default:
          return `${block.kind === "heading" ? `h${block.level}` : "p"}(${plain(block.children)})`;
      }
    })
    .join(" ");

const CASES: [string, string, string][] = [
  ["paragraphs", "a\nb\n\nc", "p(a\nb) p(c)"],
  ["headings", "## Two ##\ntext", "h2(Two) p(text)"],
  ["a heading with spaces", "# a  b ##  \r", "h1(a  b)"],
  ["headings that end with the name of a language", "# C#\n## F# #\n# #", "h1(C#) h2(F#) h1()"],
  ["emphasis", "**a** *b* _c_ ~~d~~ `e*`", "p(strong(a) em(b) em(c) strike(d) c(e*))"],
  ["nested emphasis", "**a *b* c**", "p(strong(a em(b) c))"],
  ["what is no emphasis", "2 * 3 * 4, snake_case_name, \\*no\\*", "p(2 * 3 * 4, snake_case_name, *no*)"],
  ["a list after a line", "Do:\n- a\n- b", "p(Do:) ul(p(a) | p(b))"],
  ["lists in lists", "1. a\n   - b\n   - c\n2. d", "ol1(p(a) ul(p(b) | p(c)) | p(d))"],
  ["a list that begins later", "3. a", "ol3(p(a))"],
  ["what is to do, and done", "- [ ] a\n- [x] b\n- [y] c", "ul(p(☐ a) | p(☑ b) | p([y] c))"],
  ["sides of columns", "|a|b|c|d|\n|-|:-|:-:|-:|\n|1|2|3|4|", "table[,left,center,right](a,b,c,d / 1,2,3,4)"],
  ["lines in a cell", "|a|\n|-|\n|1<br>2<br/>3|", "table(a / 1\n2\n3)"],
  ["a list with gaps", "- a\n\n- b\n\nc", "ul(p(a) | p(b)) p(c)"],
  ["a code block", "```py\na = *1*\n```\nb", "code[py](a = *1*) p(b)"],
  [
    "a code block that says more than a word",
    "```c#\na\n```\n\n~~~py title=x\nb\n~~~",
    "code[c#](a) code[py title=x](b)",
  ],
  ["code between three marks", "```a b``` c", "p(c(a b) c)"],
  ["a code block that still grows", "```\na", "code[](a)"],
  ["a quotation", "> a\n> - b", "quote(p(a) ul(p(b)))"],
  ["a table", "|a|b|\n|-|:-:|\n|1|**2**|", "table[,center](a,b / 1,strong(2))"],
  ["a rule", "a\n\n---\nb", "p(a) rule p(b)"],
  ["links", "[a](https://x.y) <https://z.q> https://w.v.", "p(link(a) link(https://z.q) link(https://w.v).)"],
  ["an address that could run something", "[a](javascript:alert(1))", "p([a](javascript:alert(1)))"],
  ["markup", "<script>alert(1)</script>", "p(<script>alert(1)</script>)"],
];

for (const [name, source, expected] of CASES) {
  test(name, () => assert.equal(shape(parse(source)), expected));
}

test("no beginning of a text makes it fail, and none loses a word", () => {
  const whole = CASES.map(([, source]) => source).join("\n\n");
  for (let end = 0; end <= whole.length; end += 1) {
    const words = whole.slice(0, end).match(/[a-z]{3,}/g) ?? [];
    const read = JSON.stringify(parse(whole.slice(0, end)));
    assert.deepEqual(
      words.filter((word) => !read.includes(word)),
      [],
    );
  }
});

test("a hostile text is read in time that grows with its length", () => {
  for (const source of [
    "**a ".repeat(5_000),
    "[".repeat(20_000),
    "`".repeat(20_000),
    "> ".repeat(5_000),
    "- ".repeat(5_000),
    "_a".repeat(10_000),
    `# a${" ".repeat(10_000)}b`,
  ]) {
    parse(source);
  }
});

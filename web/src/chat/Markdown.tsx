// A tree of Markdown as elements. No HTML is ever parsed: what a model writes can show nothing but text and links.
import { type ReactNode, memo, useMemo } from "react";
import { type Block, type Inline, parse } from "./markdown.ts";

export const Markdown = memo(function Markdown({ text }: { text: string }) {
  const blocks = useMemo(() => parse(text), [text]);
  return <div className="markdown">{blocks.map(renderBlock)}</div>;
});

function renderBlock(block: Block, key: number): ReactNode {
  switch (block.kind) {
    case "paragraph":
      return <p key={key}>{block.children.map(renderInline)}</p>;
    case "heading": {
      // Inside a page that has its own headings; a screen reader shall not take an answer for a section of it.
      return (
        <p
          key={key}
          className={`heading level-${block.level}`}
          role="heading"
          aria-level={Math.min(6, block.level + 2)}
        >
          {block.children.map(renderInline)}
        </p>
      );
    }
    case "code":
      return (
        <pre key={key} tabIndex={0}>
          <code>{block.text}</code>
        </pre>
      );
    case "quote":
      return (
        <blockquote key={key} dir="auto">
          {block.children.map(renderBlock)}
        </blockquote>
      );
    case "rule":
      return <hr key={key} />;
    case "table":
      return renderTable(block, key);
    case "list": {
      const items = block.items.map((item, index) => <li key={index}>{renderItem(item)}</li>);
      return block.ordered ? (
        <ol key={key} start={block.start} dir="auto">
          {items}
        </ol>
      ) : (
        <ul key={key} dir="auto">
          {items}
        </ul>
      );
    }
  }
}

/** A list item of one paragraph is shown without the paragraph's margins. */
function renderItem(blocks: Block[]): ReactNode {
  const [first, ...rest] = blocks;
  if (first?.kind !== "paragraph") return blocks.map(renderBlock);
  return [...first.children.map(renderInline), ...rest.map((block, index) => renderBlock(block, index + 1_000_000))];
}

function renderTable(table: Extract<Block, { kind: "table" }>, key: number): ReactNode {
  return (
    <div key={key} className="table" tabIndex={0} dir="auto">
      <table>
        <thead>
          <tr>
            {table.head.map((cell, index) => (
              <th key={index} scope="col" className={table.align[index]}>
                {cell.map(renderInline)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {table.rows.map((row, index) => (
            <tr key={index}>
              {row.map((cell, place) => (
                <td key={place} className={table.align[place]}>
                  {cell.map(renderInline)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function renderInline(part: Inline, key: number): ReactNode {
  switch (part.kind) {
    case "text":
      return part.text;
    case "code":
      return <code key={key}>{part.text}</code>;
    case "strong":
      return <strong key={key}>{part.children.map(renderInline)}</strong>;
    case "em":
      return <em key={key}>{part.children.map(renderInline)}</em>;
    case "strike":
      return <del key={key}>{part.children.map(renderInline)}</del>;
    case "link":
      return (
        <a key={key} href={part.href} target="_blank" rel="noopener noreferrer nofollow">
          {part.children.map(renderInline)}
        </a>
      );
  }
}

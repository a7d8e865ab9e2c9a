// Shows /schema/openapi.json. Everything from the document goes in as text, never as markup.
"use strict";

const METHODS = ["get", "post", "put", "patch", "delete"];

function element(name, text, ...children) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  made.append(...children);
  return made;
}

function nameOf(schema) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(" | ");
  const several = schema.anyOf || schema.oneOf;
  if (several) return several.map(nameOf).join(" | ");
  if (schema.type === "array") return nameOf(schema.items) + "[]";
  return [].concat(schema.type || "any").join(" | ");
}

function boundsOf(schema) {
  const names = ["minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "pattern", "default"];
  return names.filter((name) => schema[name] !== undefined && schema[name] !== null)
    .map((name) => `${name} ${JSON.stringify(schema[name])}`).join(", ");
}

function resolve(schema, api) {
  return schema && schema.$ref ? api.components.schemas[schema.$ref.split("/").pop()] || {} : schema || {};
}

function example(given, api, depth = 0) {
  const schema = resolve(given, api);
  if (schema.examples && schema.examples.length) return schema.examples[0];
  if (schema.default !== undefined) return schema.default;
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return schema.enum[0];
  const several = schema.oneOf || schema.anyOf;
  if (several) return example(several[0], api, depth);
  if (schema.type === "object" || schema.properties) {
    if (depth > 5) return {};
    const shown = Object.entries(schema.properties || {}).filter(([name, inner]) =>
      (schema.required || []).includes(name) || resolve(inner, api).examples);
    return Object.fromEntries(shown.map(([name, inner]) => [name, example(inner, api, depth + 1)]));
  }
  if (schema.type === "array") return schema.items && depth <= 5 ? [example(schema.items, api, depth + 1)] : [];
  return { integer: 0, number: 0, boolean: false, string: "" }[schema.type] ?? null;
}

function row(...cells) {
  return element("tr", "", ...cells.map((cell) => element("td", cell)));
}

function table(heads, rows) {
  const head = element("tr", "", ...heads.map((text) => element("th", text)));
  return element("table", "", element("thead", "", head), element("tbody", "", ...rows));
}

function fields(schema, api) {
  const rows = Object.entries(schema.properties || {}).map(([name, inner]) => {
    const required = (schema.required || []).includes(name) ? "required" : "";
    const about = [inner.description || resolve(inner, api).description, boundsOf(inner)].filter(Boolean).join(" · ");
    return row(name, nameOf(inner), required, about);
  });
  return rows.length ? [table(["field", "type", "", "about"], rows)] : [];
}

function bodyOf(operation, api) {
  const parts = [];
  for (const [kind, content] of Object.entries((operation.requestBody || {}).content || {})) {
    parts.push(element("h3", `Body: ${kind} ${nameOf(content.schema)}`));
    parts.push(...fields(resolve(content.schema, api), api));
    if (kind.includes("json")) parts.push(element("pre", JSON.stringify(example(content.schema, api), null, 2)));
  }
  return parts;
}

function answersOf(operation) {
  const rows = Object.entries(operation.responses || {}).map(([status, answer]) => {
    const kinds = Object.entries(answer.content || {}).map(([kind, content]) => `${kind} ${nameOf(content.schema)}`);
    return row(status, answer.description || "", kinds.join(", "));
  });
  return rows.length ? [element("h3", "Answers"), table(["status", "", "content"], rows)] : [];
}

function show(method, path, operation, api) {
  const label = element("span", method.toUpperCase());
  label.className = "method";
  const about = element("span", ` ${operation.summary || ""}`);
  about.className = "quiet";
  const inside = element("div", "", element("p", operation.description || ""));
  const parameters = operation.parameters || [];
  if (parameters.length) {
    const rows = parameters.map((one) =>
      row(one.name, one.in, nameOf(one.schema), [one.description, boundsOf(one.schema || {})].filter(Boolean).join(" · ")));
    inside.append(element("h3", "Parameters"), table(["name", "in", "type", "about"], rows));
  }
  inside.append(...bodyOf(operation, api), ...answersOf(operation));
  const made = element("details", "", element("summary", "", label, element("code", path), about), inside);
  made.dataset.words = `${method} ${path} ${operation.summary || ""} ${operation.description || ""}`.toLowerCase();
  return made;
}

function showAll(api) {
  document.title = document.getElementById("title").textContent = `${api.info.title} ${api.info.version}`;
  document.getElementById("about").textContent = api.info.description || "";
  const groups = new Map();
  for (const [path, item] of Object.entries(api.paths)) {
    for (const method of METHODS.filter((name) => item[name])) {
      const group = (item[method].tags || ["other"])[0];
      groups.set(group, [...(groups.get(group) || []), show(method, path, item[method], api)]);
    }
  }
  const sections = [...groups].map(([name, shown]) => element("section", "", element("h2", name), ...shown));
  document.getElementById("operations").replaceChildren(...sections);
  document.getElementById("filter").addEventListener("input", (event) => {
    const wanted = event.target.value.toLowerCase();
    for (const one of document.querySelectorAll("details")) one.hidden = !one.dataset.words.includes(wanted);
    for (const section of document.querySelectorAll("section")) {
      section.hidden = ![...section.querySelectorAll("details")].some((one) => !one.hidden);
    }
  });
}

fetch("/schema/openapi.json")
  .then((answer) => answer.json())
  .then(showAll)
  .catch(() => { document.getElementById("operations").textContent = "The document could not be loaded."; });

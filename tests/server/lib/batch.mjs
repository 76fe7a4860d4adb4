// Multipart batches: written in the form asked for, and their answers read strictly.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

/**
 * The text of a batch. An item is a request ({ method, url, headers, body, id }) or, for a change set, a list of them.
 * `lineEnd`, `quoted` and `absolute` choose between the forms that clients send.
 */
export function written(items, { lineEnd = "\r\n", boundary = `batch_${randomUUID()}`, root = "" } = {}) {
  const lines = [];
  for (const item of items) {
    lines.push(`--${boundary}`);
    if (Array.isArray(item)) {
      const inner = `changeset_${randomUUID()}`;
      lines.push(`Content-Type: multipart/mixed; boundary=${inner}`, "");
      item.forEach((request, n) => {
        lines.push(`--${inner}`, ...request_(request, root, `Content-ID: ${request.id ?? n + 1}`));
      });
      lines.push(`--${inner}--`, "");
    } else {
      lines.push(...request_(item, root, item.id === undefined ? undefined : `Content-ID: ${item.id}`));
    }
  }
  lines.push(`--${boundary}--`, "");
  return { text: lines.join(lineEnd), boundary };
}

function request_({ method, url, headers = {}, body }, root, contentId) {
  const lines = ["Content-Type: application/http", "Content-Transfer-Encoding: binary"];
  if (contentId) lines.push(contentId);
  lines.push("", `${method} ${url.startsWith("$") ? url : root + url} HTTP/1.1`);
  if (body !== undefined) lines.push("Content-Type: application/json");
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  lines.push("", body === undefined ? "" : typeof body === "string" ? body : JSON.stringify(body));
  return lines;
}

/** Sends items as one batch. */
export function batch(client, items, headers = {}) {
  const { text, boundary } = written(items);
  return client.send("POST", "$batch", text, {
    "Content-Type": `multipart/mixed; boundary="${boundary}"`,
    ...headers,
  });
}

/** The parts of an answer in order; a change set is a list. */
export function parts(answer) {
  const boundary = /^multipart\/mixed; ?boundary="?(batchresponse_[^"]+)"?$/.exec(
    answer.headers["content-type"],
  )?.[1];
  assert.ok(boundary, `a batch response: ${answer.headers["content-type"]} ${answer.text.slice(0, 200)}`);
  return read(answer.text, boundary);
}

function read(text, boundary) {
  assert.ok(text.startsWith(`--${boundary}\r\n`), "the delimiter stands first");
  const pieces = text.split(`--${boundary}`);
  assert.match(pieces.at(-1), /^--\s*$/, "the closing delimiter stands last");
  return pieces.slice(1, -1).map((piece) => {
    const [head, rest] = cut(piece.replace(/^\r\n/, ""));
    const inner = /^content-type: multipart\/mixed; ?boundary=(changesetresponse_\S+)/im.exec(head)?.[1];
    if (inner) return read(rest, inner);
    const [status, content] = cut(rest);
    const [line, ...fields] = status.split("\r\n");
    const headers = Object.fromEntries(
      fields.map((field) => [field.split(": ")[0].toLowerCase(), field.slice(field.indexOf(": ") + 2)]),
    );
    const trimmed = content.replace(/\r\n$/, "");
    const isJson = /json/.test(headers["content-type"] ?? "");
    return {
      status: Number(/^HTTP\/1\.1 (\d{3})/.exec(line)?.[1]),
      contentId: /^content-id: (.*)$/im.exec(head)?.[1].trim(),
      headers,
      text: trimmed,
      body: isJson ? JSON.parse(trimmed) : trimmed,
    };
  });
}

function cut(text) {
  const at = text.indexOf("\r\n\r\n");
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 4)];
}

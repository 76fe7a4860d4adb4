// The server's pages in order, asked for as the engine asks.

const LINK = /"@odata\.nextLink":"((?:[^"\\]|\\.)*)"/;
/** The server writes the next page's link before the rows. */
const HEAD_BYTES = 16_384;

async function body({ url, headers }) {
  const answer = await fetch(url, { headers, cache: "no-store" });
  if (answer.status !== 200) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
  return answer.arrayBuffer();
}

function next(bytes, headers) {
  const link = LINK.exec(
    new TextDecoder().decode(new Uint8Array(bytes, 0, Math.min(HEAD_BYTES, bytes.byteLength))),
  );
  return link ? { url: JSON.parse(`"${link[1]}"`), headers } : null;
}

/** Bytes of one page after the other; the next one is asked for when the caller comes back. */
export async function* inTurn(first) {
  for (let call = first; call; ) {
    const bytes = await body(call);
    call = next(bytes, first.headers);
    yield bytes;
  }
}

/** Bytes of one page after the other; the next one is on its way while the caller works on this one. */
export async function* ahead(first) {
  for (let coming = body(first); coming; ) {
    const bytes = await coming;
    const call = next(bytes, first.headers);
    coming = call ? body(call) : null;
    yield bytes;
  }
}

/** Rows of a page as a database of the page keeps them: no annotations, no nulls, lookups by their plain name. */
export function rows(bytes) {
  return JSON.parse(new TextDecoder().decode(bytes)).value.map(plain);
}

export function plain(row) {
  const kept = {};
  for (const [name, value] of Object.entries(row)) {
    if (value !== null && !name.includes("@")) kept[name.replace(/^_(.*)_value$/, "$1")] = value;
  }
  return kept;
}

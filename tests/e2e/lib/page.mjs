// What a person does in the web CRM, by what he sees.

import { until } from "./world.mjs";

const id = (name) => `[data-testid="${name}"]`;

/** Opens a record's form. */
export async function openRecord(page, set, row) {
  await page.evaluate((hash) => {
    location.hash = hash;
  }, `#/${set}/${row}`);
  await page.waitForSelector(`${id(`record-${set}`)}[data-id="${row}"][data-loaded="true"]`);
}

/** Opens the form of a new record. */
export async function openNew(page, set, query = "") {
  await page.evaluate((hash) => {
    location.hash = hash;
  }, `#/${set}/new${query}`);
  await page.waitForSelector(`${id(`record-${set}`)}[data-id="new"][data-loaded="true"]`);
}

/** Types into a field in place of what is there. */
export async function fill(page, column, text) {
  const field = `${id(`field-${column}`)} :is(input, textarea)`;
  await page.waitForSelector(field);
  await page.$eval(field, (input) => {
    input.focus();
    input.select();
  });
  await page.keyboard.press("Backspace");
  await page.keyboard.type(text);
}

/** What a field shows. */
export function shown(page, column) {
  return page.$eval(`${id(`field-${column}`)} :is(input, textarea, select)`, (input) => input.value);
}

/** Saves the form and waits until it is saved. */
export async function save(page) {
  await page.click(id("save"));
  await until("saving", async () => {
    const problem = await page.$eval(id("record-problem"), (p) => p.textContent).catch(() => null);
    if (problem) throw new Error(problem);
    return (await page.$(id("unsaved"))) === null;
  });
}

/** Opens a list and waits for rows. */
export async function openList(page, set) {
  await page.evaluate((hash) => {
    location.hash = hash;
  }, `#/${set}`);
  await page.waitForSelector(`${id(`list-${set}`)} ${id("row")}`);
}

/** Names of the rows a list shows after a search for `text`. */
export async function search(page, text, expected) {
  const box = id("search");
  await page.$eval(box, (input) => {
    input.focus();
    input.select();
  });
  await page.keyboard.type(text);
  return until(`a row named ${expected}`, async () => {
    const names = await page.$$eval(`${id("row")} .name-cell a`, (links) =>
      links.map((link) => link.textContent),
    );
    return names.includes(expected) && names;
  });
}

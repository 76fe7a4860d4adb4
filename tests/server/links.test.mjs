// What hangs on rows: parties, notes with files, links of many to many.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { onEachDatabase } from "./lib/world.mjs";

onEachDatabase("links", { rows: 5 }, (world) => {
  const contact = async (lastname) => (await world.demo.create("contacts", { lastname })).contactid;

  test("parties are made with their activity, replaced as a whole, and read with it", async () => {
    const [ann, bob] = [await contact("Ann"), await contact("Bob")];
    const party = (id, participationtypemask) => ({
      "partyid_contact@odata.bind": `contacts(${id})`,
      participationtypemask,
    });
    const { activityid } = await world.demo.create("emails", {
      subject: "Parties",
      email_activity_parties: [
        party(ann, 2),
        { addressused: "nobody@example.com", participationtypemask: 3 },
      ],
    });
    const read = async () =>
      (
        await world.demo.get(
          `emails(${activityid})?$select=subject&$expand=email_activity_parties($select=activitypartyid,_partyid_value,participationtypemask,addressused)`,
        )
      ).email_activity_parties
        // The owner is a party as well (9), and the sender may be.
        .filter(({ participationtypemask }) => [2, 3].includes(participationtypemask))
        .map((row) => `${row.participationtypemask} ${row._partyid_value ?? row.addressused}`)
        .sort();
    assert.deepEqual(await read(), [`2 ${ann}`, "3 nobody@example.com"]);
    const put = await world.demo.send("PUT", `emails(${activityid})/email_activity_parties`, {
      value: [party(bob, 2)],
    });
    assert.equal(put.status, 204, put.text);
    assert.deepEqual(await read(), [`2 ${bob}`]);
    const refused = await world.demo.send("PUT", `emails(${activityid})/email_activity_parties`, {
      value: [party(ann, 2), party(randomUUID(), 2)],
    });
    assert.equal(refused.status, 404, "a party that is not there");
    assert.deepEqual(await read(), [`2 ${bob}`], "all or nothing");
  });

  test("notes keep files, and go with what they hang on", async () => {
    const parent = await contact("Noted");
    const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, n) => (n * 7) % 256));
    const { annotationid } = await world.demo.create("annotations", {
      subject: "A file",
      filename: "a.bin",
      mimetype: "application/octet-stream",
      documentbody: bytes.toString("base64"),
      "objectid_contact@odata.bind": `contacts(${parent})`,
    });
    const note = await world.demo.get(`annotations(${annotationid})`);
    assert.ok(Buffer.from(note.documentbody, "base64").equals(bytes));
    assert.deepEqual([note.filesize, note.isdocument, note._objectid_value], [bytes.length, true, parent]);
    await world.demo.delete(`contacts(${parent})`);
    assert.equal((await world.demo.send("GET", `annotations(${annotationid})`)).status, 404);
  });

  test("links of many to many are made, read and ended", async () => {
    const lead = (await world.demo.create("leads", { subject: "Linked", lastname: "Lead" })).leadid;
    const person = await contact("Linked");
    const list = async () =>
      (await world.demo.get(`leads(${lead})/contactleads_association?$select=lastname`)).value.map(
        (row) => row.lastname,
      );
    const path = `leads(${lead})/contactleads_association/$ref`;
    const link = { "@odata.id": `${world.demo.root}contacts(${person})` };
    assert.equal((await world.demo.send("POST", path, link)).status, 204);
    assert.deepEqual(await list(), ["Linked"]);
    const expanded = await world.demo.get(
      `leads(${lead})?$select=subject&$expand=contactleads_association($select=lastname)`,
    );
    assert.deepEqual(
      expanded.contactleads_association.map((row) => row.lastname),
      ["Linked"],
    );
    const byId = await world.demo.send("DELETE", `${path}?$id=${world.demo.root}contacts(${person})`);
    assert.equal(byId.status, 204, byId.text);
    assert.deepEqual(await list(), []);
    assert.equal((await world.demo.send("POST", path, link)).status, 204);
    const byKey = await world.demo.send("DELETE", `leads(${lead})/contactleads_association(${person})/$ref`);
    assert.equal(byKey.status, 204, byKey.text);
    assert.deepEqual(await list(), []);
  });
});

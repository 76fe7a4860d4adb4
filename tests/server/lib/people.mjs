// A few firms and people to ask about, with every kind of gap: nulls, other cases, quotes, no parent, no tasks.

const FIRMS = [
  { name: "Alfa", revenue: 100, numberofemployees: 1, address1_city: "Oslo", industrycode: 1 },
  { name: "bravo", revenue: 250.5, numberofemployees: 20, address1_city: "oslo", industrycode: 2 },
  {
    name: "Charlie % 1_0 [x]",
    revenue: null,
    numberofemployees: 300,
    address1_city: "Bergen",
    industrycode: 2,
  },
  { name: "Ærlig & Søn", revenue: 0, numberofemployees: null, address1_city: null, industrycode: null },
  { name: "O'Hara", revenue: 99.99, numberofemployees: 5, address1_city: "Bergen", industrycode: 1 },
];

/** People: last name, firm, title, and the subjects of their tasks. */
const PEOPLE = [
  ["Ask", 0, "Clerk", ["call", "mail"]],
  ["Berg", 0, "Head", []],
  ["Carl", 1, null, ["call"]],
  ["Dahl", null, "Clerk", ["visit"]],
];

/** Creates them, and gives the firms' ids in order. */
export async function settle(demo) {
  const ids = [];
  for (const firm of FIRMS) ids.push((await demo.create("accounts", firm)).accountid);
  for (const [lastname, firm, jobtitle, tasks] of PEOPLE) {
    const parent = firm === null ? {} : { "parentcustomerid_account@odata.bind": `accounts(${ids[firm]})` };
    const { contactid } = await demo.create("contacts", { lastname, jobtitle, ...parent });
    for (const subject of tasks) {
      await demo.create("tasks", {
        subject,
        "regardingobjectid_contact_task@odata.bind": `contacts(${contactid})`,
      });
    }
    if (firm === 0) {
      await demo.patch(`accounts(${ids[0]})`, { "primarycontactid@odata.bind": `contacts(${contactid})` });
    }
  }
  await demo.patch(`accounts(${ids[1]})`, { "parentaccountid@odata.bind": `accounts(${ids[0]})` });
  return ids;
}

// What the CRM shows of each table: list columns, form groups, lookups and related lists. Types, lengths, options and
// required levels come from the server's metadata, not from here.

/** One column of a list. `property` is the name on the wire. */
export interface ListColumn {
  property: string;
  label: string;
  kind?: "name" | "phone" | "email" | "lookup" | "moment" | "day" | "option";
  /** How much room the screen must have. */
  from?: "tablet" | "desktop" | "wide";
}

/** A list of rows that point to the shown one. */
export interface Related {
  set: TableSet;
  /** Lookup of the related table that points here. */
  lookup: string;
  title: string;
}

export interface TableView {
  set: TableSet;
  table: string;
  id: string;
  /** Column that names a row. */
  name: string;
  label: string;
  labels: string;
  columns: ListColumn[];
  /** Text columns that the search box looks into. */
  search: string[];
  sort: string;
  groups: { title: string; fields: string[] }[];
  related: Related[];
  /** Columns that a line of a picker shows beside the name. */
  hint: string[];
}

export type TableSet = "accounts" | "contacts" | "tasks";

const address = {
  title: "Address",
  fields: [
    "address1_line1",
    "address1_line2",
    "address1_postalcode",
    "address1_city",
    "address1_stateorprovince",
    "address1_country",
  ],
};

const accounts: TableView = {
  set: "accounts",
  table: "account",
  id: "accountid",
  name: "name",
  label: "Account",
  labels: "Accounts",
  columns: [
    { property: "name", label: "Name", kind: "name" },
    { property: "telephone1", label: "Phone", kind: "phone" },
    { property: "address1_city", label: "City", from: "tablet" },
    { property: "_primarycontactid_value", label: "Primary contact", kind: "lookup", from: "tablet" },
    { property: "emailaddress1", label: "Email", kind: "email", from: "wide" },
    { property: "modifiedon", label: "Changed", kind: "moment", from: "desktop" },
  ],
  search: ["name", "accountnumber", "telephone1", "emailaddress1", "address1_city"],
  sort: "name",
  groups: [
    { title: "Account", fields: ["name", "accountnumber", "primarycontactid", "parentaccountid"] },
    { title: "Phone and web", fields: ["telephone1", "telephone2", "fax", "emailaddress1", "websiteurl"] },
    address,
    {
      title: "Business",
      fields: [
        "industrycode",
        "customertypecode",
        "revenue",
        "numberofemployees",
        "creditonhold",
        "statuscode",
      ],
    },
    { title: "Notes", fields: ["description"] },
  ],
  related: [
    { set: "contacts", lookup: "parentcustomerid", title: "Contacts" },
    { set: "tasks", lookup: "regardingobjectid", title: "Tasks" },
  ],
  hint: ["address1_city", "telephone1"],
};

const contacts: TableView = {
  set: "contacts",
  table: "contact",
  id: "contactid",
  name: "fullname",
  label: "Contact",
  labels: "Contacts",
  columns: [
    { property: "fullname", label: "Name", kind: "name" },
    { property: "jobtitle", label: "Job title", from: "wide" },
    { property: "_parentcustomerid_value", label: "Company", kind: "lookup", from: "tablet" },
    { property: "telephone1", label: "Phone", kind: "phone" },
    { property: "emailaddress1", label: "Email", kind: "email", from: "tablet" },
    { property: "modifiedon", label: "Changed", kind: "moment", from: "desktop" },
  ],
  search: ["fullname", "emailaddress1", "telephone1", "mobilephone", "jobtitle", "address1_city"],
  sort: "fullname",
  groups: [
    {
      title: "Person",
      fields: ["salutation", "firstname", "lastname", "jobtitle", "department", "parentcustomerid"],
    },
    {
      title: "Phone and web",
      fields: ["telephone1", "mobilephone", "emailaddress1", "websiteurl", "preferredcontactmethodcode"],
    },
    address,
    {
      title: "Personal",
      fields: ["birthdate", "gendercode", "familystatuscode", "donotemail", "statuscode"],
    },
    { title: "Notes", fields: ["description"] },
  ],
  related: [{ set: "tasks", lookup: "regardingobjectid", title: "Tasks" }],
  hint: ["jobtitle", "address1_city"],
};

const tasks: TableView = {
  set: "tasks",
  table: "task",
  id: "activityid",
  name: "subject",
  label: "Task",
  labels: "Tasks",
  columns: [
    { property: "subject", label: "Subject", kind: "name" },
    { property: "_regardingobjectid_value", label: "Regarding", kind: "lookup", from: "tablet" },
    { property: "scheduledend", label: "Due", kind: "day" },
    { property: "prioritycode", label: "Priority", kind: "option", from: "desktop" },
    { property: "statuscode", label: "Status", kind: "option", from: "tablet" },
    { property: "modifiedon", label: "Changed", kind: "moment", from: "desktop" },
  ],
  search: ["subject", "description", "category"],
  sort: "scheduledend",
  groups: [
    {
      title: "Task",
      fields: ["subject", "regardingobjectid", "statuscode", "prioritycode", "percentcomplete"],
    },
    { title: "When", fields: ["scheduledstart", "scheduledend", "actualdurationminutes"] },
    { title: "Notes", fields: ["category", "description"] },
  ],
  related: [],
  hint: ["scheduledend"],
};

export const views: Record<TableSet, TableView> = { accounts, contacts, tasks };

/** In the order of the navigation. */
export const sets: TableSet[] = ["contacts", "accounts", "tasks"];

/** The view of an entity set name; `undefined` when the CRM has none. */
export function viewOfSet(set: string): TableView | undefined {
  return views[set as TableSet];
}

/** The view of a logical name; `undefined` when the CRM has none. */
export function viewOfTable(table: string): TableView | undefined {
  return sets.map((set) => views[set]).find((view) => view.table === table);
}

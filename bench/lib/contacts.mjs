// The contacts that are measured: 24 columns in pages of 5,000.

export const PAGE_ROWS = 5000;

export const COLUMNS = [
  "contactid",
  "fullname",
  "firstname",
  "lastname",
  "jobtitle",
  "emailaddress1",
  "telephone1",
  "mobilephone",
  "address1_line1",
  "address1_city",
  "address1_postalcode",
  "address1_country",
  "gendercode",
  "birthdate",
  "creditlimit",
  "description",
  "donotemail",
  "preferredcontactmethodcode",
  "parentcustomerid",
  "ownerid",
  "createdon",
  "modifiedon",
  "statecode",
  "statuscode",
];
const LOOKUPS = new Set(["parentcustomerid", "ownerid"]);

/** A column's name in bodies. */
export const property = (column) => (LOOKUPS.has(column) ? `_${column}_value` : column);

export const PATH = `/api/data/v9.2/contacts?$select=${COLUMNS.map(property).join(",")}`;

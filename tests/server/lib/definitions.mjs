// Bodies that define tables and columns, as the documents show them.

const CRM = "Microsoft.Dynamics.CRM.";

export const label = (text) => ({
  "@odata.type": `${CRM}Label`,
  LocalizedLabels: [{ "@odata.type": `${CRM}LocalizedLabel`, Label: text, LanguageCode: 1033 }],
});

export const column = (type, name, more = {}) => ({
  "@odata.type": `${CRM}${type}AttributeMetadata`,
  SchemaName: name,
  DisplayName: label(name),
  Description: label(`${name} of a test`),
  RequiredLevel: {
    Value: "None",
    CanBeChanged: true,
    ManagedPropertyLogicalName: "canmodifyrequirementlevelsettings",
  },
  ...more,
});

export const table = (name) => ({
  "@odata.type": `${CRM}EntityMetadata`,
  SchemaName: name,
  DisplayName: label(name),
  DisplayCollectionName: label(`${name}s`),
  Description: label(`${name} of a test`),
  OwnershipType: "UserOwned",
  IsActivity: false,
  HasActivities: false,
  HasNotes: false,
  Attributes: [
    column("String", `${name}Name`, { IsPrimaryName: true, MaxLength: 100, FormatName: { Value: "Text" } }),
  ],
});

export const option = (Value, text) => ({ Value, Label: label(text) });

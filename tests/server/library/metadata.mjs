// The library's methods for definitions: tables, columns, relationships, global choices, CSDL.

import assert from "node:assert/strict";
import { test } from "node:test";
import { column, label, option, table } from "../lib/definitions.mjs";
import { failure } from "./rows.mjs";

const CRM = "Microsoft.Dynamics.CRM.";
const ONE_TO_MANY = `${CRM}OneToManyRelationshipMetadata`;

const shown = (text) => text.UserLocalizedLabel.Label;

export function metadata(use) {
  definitions(use);
  model(use);
  tables(use);
  columns(use);
  relationships(use);
  choices(use);
}

/** The definitions that every system has; `tables`: how many there are at least. */
export function definitions({ demo, tables = 15 }) {
  test("retrieveEntities and retrieveEntity read tables", async () => {
    const all = await demo().retrieveEntities();
    assert.ok(all.value.length >= tables);
    const some = await demo().retrieveEntities({
      select: ["LogicalName", "EntitySetName"],
      filter: "OwnershipType eq Microsoft.Dynamics.CRM.OwnershipTypes'UserOwned'",
    });
    assert.ok(some.value.some((found) => found.LogicalName === "contact"));
    assert.ok(some.value.every((found) => found.MetadataId && found.EntitySetName));
    assert.ok(!some.value.some((found) => found.LogicalName === "systemuser"));
    const [{ MetadataId }] = (await demo().retrieveEntities({ filter: "LogicalName eq 'contact'" })).value;
    for (const key of [MetadataId, "LogicalName='contact'"]) {
      const one = await demo().retrieveEntity({
        key,
        select: ["LogicalName", "PrimaryIdAttribute"],
        expand: [{ property: "Attributes", select: ["LogicalName"], filter: "LogicalName eq 'fullname'" }],
      });
      assert.equal(one.PrimaryIdAttribute, "contactid");
      assert.deepEqual(
        one.Attributes.map((attribute) => attribute.LogicalName),
        ["fullname"],
      );
    }
    const expanded = await demo().retrieveEntities({
      select: ["LogicalName"],
      filter: "LogicalName eq 'task'",
      expand: [{ property: "ManyToOneRelationships", select: ["SchemaName"] }],
    });
    assert.ok(expanded.value[0].ManyToOneRelationships.length > 1);
  });

  test("retrieveAttributes and retrieveAttribute read columns, by type where their properties need it", async () => {
    const entityKey = "LogicalName='contact'";
    const all = await demo().retrieveAttributes({ entityKey, select: ["LogicalName", "AttributeType"] });
    assert.ok(all.value.length > 100);
    const texts = await demo().retrieveAttributes({
      entityKey,
      castType: `${CRM}StringAttributeMetadata`,
      select: ["LogicalName", "MaxLength"],
      filter: "LogicalName eq 'lastname'",
    });
    assert.deepEqual(
      texts.value.map((found) => found.MaxLength),
      [50],
    );
    const picklists = await demo().retrieveAttributes({
      entityKey,
      castType: `${CRM}PicklistAttributeMetadata`,
      select: ["LogicalName"],
      expand: [{ property: "OptionSet" }, { property: "GlobalOptionSet" }],
    });
    const gender = picklists.value.find((found) => found.LogicalName === "gendercode");
    assert.deepEqual(
      gender.OptionSet.Options.map((found) => [found.Value, shown(found.Label)]),
      [
        [1, "Male"],
        [2, "Female"],
      ],
    );
    for (const attributeKey of ["LogicalName='statecode'"]) {
      const state = await demo().retrieveAttribute({
        entityKey,
        attributeKey,
        castType: `${CRM}StateAttributeMetadata`,
        select: ["LogicalName"],
        expand: [{ property: "OptionSet", select: ["Options"] }],
      });
      assert.equal(shown(state.OptionSet.Options[0].Label), "Active");
      const same = await demo().retrieveAttribute({ entityKey, attributeKey: state.MetadataId });
      assert.equal(same.LogicalName, "statecode");
    }
    const cast = await demo().retrieve({
      collection: "EntityDefinitions",
      key: entityKey,
      navigationProperty: "Attributes",
      navigationPropertyKey: "LogicalName='gendercode'",
      metadataAttributeType: `${CRM}PicklistAttributeMetadata`,
      select: ["LogicalName"],
    });
    assert.equal(cast.LogicalName, "gendercode");
  });
}

function model({ demo }) {
  test("retrieveCsdlMetadata gives the whole model", async () => {
    const plain = await demo().retrieveCsdlMetadata();
    assert.match(plain, /<EntityType Name="contact"/);
    const annotated = await demo().retrieveCsdlMetadata({ addAnnotations: true });
    assert.match(annotated, /<EntityType Name="contact"/);
  });
}

function tables({ demo }) {
  test("createEntity makes a table that takes rows at once, updateEntity changes it, deleteRecord ends it", async () => {
    const id = await demo().createEntity({ data: table("new_Boat") });
    const made = await demo().retrieveEntity({ key: id });
    assert.equal(made.LogicalName, "new_boat");
    const row = { collection: made.EntitySetName, data: { new_boatname: "Fram" } };
    const boat = await demo().create(row);
    assert.equal((await demo().retrieve({ collection: made.EntitySetName, key: boat })).new_boatname, "Fram");
    await demo().updateEntity({
      data: { ...made, MetadataId: id, DisplayName: label("Ship") },
      mergeLabels: true,
    });
    const changed = await demo().retrieveEntity({ key: id, select: ["DisplayName"] });
    assert.equal(shown(changed.DisplayName), "Ship");
    assert.equal((await demo().retrieve({ collection: made.EntitySetName, key: boat })).new_boatname, "Fram");
    assert.match(await demo().retrieveCsdlMetadata(), /<EntityType Name="new_boat"/);
    assert.equal((await failure(demo().createEntity({ data: table("new_Boat") }))).status, 400);
    await demo().deleteRecord({ collection: "EntityDefinitions", key: id });
    assert.equal((await failure(demo().retrieveEntity({ key: id }))).status, 404);
    assert.equal((await failure(demo().create(row))).status, 404);
  });
}

const COLUMNS = [
  ["String", "new_Text", { MaxLength: 40, FormatName: { Value: "Text" } }, "Sjø"],
  ["Memo", "new_Memo", { MaxLength: 4000, Format: "TextArea" }, "line\nline"],
  ["Integer", "new_Whole", { MinValue: -5, MaxValue: 5, Format: "None" }, -5],
  ["Decimal", "new_Decimal", { MinValue: 0, MaxValue: 100, Precision: 3 }, 12.345],
  ["Double", "new_Double", { MinValue: 0, MaxValue: 100, Precision: 5 }, 0.5],
  ["Money", "new_Money", { PrecisionSource: 2 }, 12.5],
  [
    "Boolean",
    "new_Flag",
    { DefaultValue: false, OptionSet: { TrueOption: option(1, "Yes"), FalseOption: option(0, "No") } },
    true,
  ],
  ["DateTime", "new_Day", { Format: "DateOnly", DateTimeBehavior: { Value: "DateOnly" } }, "2024-02-29"],
  [
    "Picklist",
    "new_Choice",
    { OptionSet: choice([option(727000000, "One"), option(727000001, "Two")]) },
    727000001,
  ],
  ["MultiSelectPicklist", "new_Many", { OptionSet: choice([option(1, "One"), option(2, "Two")]) }, "1,2"],
];

function choice(Options) {
  return { "@odata.type": `${CRM}OptionSetMetadata`, IsGlobal: false, OptionSetType: "Picklist", Options };
}

function columns({ demo }) {
  test("createAttribute adds a column of every type, and rows keep its values", async () => {
    const id = await demo().createEntity({ data: table("new_Column") });
    const { EntitySetName: collection } = await demo().retrieveEntity({ key: id });
    const data = {};
    for (const [type, name, more, value] of COLUMNS) {
      await demo().createAttribute({ entityKey: id, data: column(type, name, more) });
      data[name.toLowerCase()] = value;
    }
    const key = await demo().create({ collection, data });
    const row = await demo().retrieve({ collection, key });
    for (const [name, value] of Object.entries(data)) assert.equal(row[name], value, name);
    const tooLong = await failure(demo().update({ collection, key, data: { new_text: "x".repeat(41) } }));
    assert.deepEqual([tooLong.status, tooLong.code], [400, "0x80044331"]);
    const outside = await failure(demo().update({ collection, key, data: { new_whole: 6 } }));
    assert.deepEqual([outside.status, outside.code], [400, "0x8004432f"]);
    const unknown = await failure(demo().update({ collection, key, data: { new_choice: 3 } }));
    assert.deepEqual([unknown.status, unknown.code], [400, "0x8004431a"]);

    const attribute = {
      entityKey: id,
      attributeKey: "LogicalName='new_text'",
      castType: `${CRM}StringAttributeMetadata`,
    };
    const text = await demo().retrieveAttribute(attribute);
    await demo().updateAttribute({
      entityKey: id,
      data: { ...text, DisplayName: label("Longer"), MaxLength: 60 },
      castType: attribute.castType,
      mergeLabels: true,
    });
    const longer = await demo().retrieveAttribute(attribute);
    assert.deepEqual([shown(longer.DisplayName), longer.MaxLength], ["Longer", 60]);
    await demo().update({ collection, key, data: { new_text: "x".repeat(60) } });
    await demo().deleteRecord({
      collection: "EntityDefinitions",
      key: id,
      property: `Attributes(${text.MetadataId})`,
    });
    assert.equal((await demo().retrieve({ collection, key })).new_text, undefined);
    await demo().deleteRecord({ collection: "EntityDefinitions", key: id });
  });
}

function oneToMany() {
  return {
    "@odata.type": ONE_TO_MANY,
    SchemaName: "new_port_ship",
    ReferencedEntity: "new_port",
    ReferencedAttribute: "new_portid",
    ReferencingEntity: "new_ship",
    CascadeConfiguration: {
      Assign: "NoCascade",
      Delete: "RemoveLink",
      Merge: "NoCascade",
      Reparent: "NoCascade",
      Share: "NoCascade",
      Unshare: "NoCascade",
    },
    AssociatedMenuConfiguration: {
      Behavior: "UseCollectionName",
      Group: "Details",
      Order: 10000,
      Label: label("Ships"),
    },
    Lookup: column("Lookup", "new_HomePort"),
  };
}

const manyToMany = {
  "@odata.type": `${CRM}ManyToManyRelationshipMetadata`,
  SchemaName: "new_port_visits",
  IntersectEntityName: "new_port_visits",
  Entity1LogicalName: "new_port",
  Entity2LogicalName: "new_ship",
};

function relationships({ demo }) {
  test("createRelationship links tables both ways, and rows follow", async () => {
    const tables = [];
    for (const name of ["new_Port", "new_Ship"])
      tables.push(await demo().createEntity({ data: table(name) }));
    const one = await demo().createRelationship({ data: oneToMany() });
    const many = await demo().createRelationship({ data: manyToMany });
    const port = await demo().create({ collection: "new_ports", data: { new_portname: "Tromsø" } });
    const ship = await demo().create({
      collection: "new_ships",
      data: { new_shipname: "Gjøa", "new_HomePort@odata.bind": `new_ports(${port})` },
    });
    const expanded = await demo().retrieve({
      collection: "new_ships",
      key: ship,
      expand: [{ property: "new_HomePort", select: ["new_portname"] }],
    });
    assert.equal(expanded.new_HomePort.new_portname, "Tromsø");
    const link = {
      collection: "new_ports",
      primaryKey: port,
      relationshipName: "new_port_visits",
      relatedKey: ship,
    };
    const visits = async () =>
      (await demo().retrieveMultiple({ collection: `new_ports(${port})/new_port_visits` })).value.length;
    await demo().associate({ ...link, relatedCollection: "new_ships" });
    assert.equal(await visits(), 1);
    await demo().disassociate(link);
    assert.equal(await visits(), 0);

    const found = await demo().retrieveRelationship({ key: one, castType: ONE_TO_MANY });
    assert.equal(found.ReferencingAttribute, "new_homeport");
    await demo().updateRelationship({
      data: { ...found, CascadeConfiguration: { ...found.CascadeConfiguration, Delete: "Cascade" } },
      castType: ONE_TO_MANY,
      mergeLabels: true,
    });
    const named = await demo().retrieveRelationship({
      key: "SchemaName='new_port_ship'",
      castType: ONE_TO_MANY,
      select: ["SchemaName", "CascadeConfiguration"],
    });
    assert.equal(named.CascadeConfiguration.Delete, "Cascade");
    const list = await demo().retrieveRelationships({
      castType: ONE_TO_MANY,
      select: ["SchemaName", "ReferencingEntity"],
      filter: "ReferencedEntity eq 'new_port'",
    });
    assert.ok(list.value.some((relationship) => relationship.SchemaName === "new_port_ship"));
    assert.ok((await demo().retrieveRelationships()).value.length > list.value.length);
    await demo().deleteRecord({ collection: "new_ports", key: port });
    assert.equal((await failure(demo().retrieve({ collection: "new_ships", key: ship }))).status, 404);
    await demo().deleteRelationship({ key: many });
    await demo().deleteRelationship({ key: one });
    const gone = await failure(demo().retrieveRelationship({ key: one }));
    assert.equal(gone.status, 404);
    for (const key of tables.reverse()) await demo().deleteRecord({ collection: "EntityDefinitions", key });
  });
}

function choices({ demo }) {
  test("global choices are made, read, changed and ended", async () => {
    const castType = `${CRM}OptionSetMetadata`;
    const data = {
      "@odata.type": castType,
      Name: "new_colours",
      DisplayName: label("Colours"),
      IsGlobal: true,
      OptionSetType: "Picklist",
      Options: [option(1, "Red"), option(2, "Green")],
    };
    const id = await demo().createGlobalOptionSet({ data });
    const whole = await demo().retrieveGlobalOptionSet({ key: id, castType });
    assert.deepEqual(
      whole.Options.map((found) => shown(found.Label)),
      ["Red", "Green"],
    );
    const part = await demo().retrieveGlobalOptionSet({ key: "Name='new_colours'", select: ["Name"] });
    assert.equal(part.Name, "new_colours");
    await demo().updateGlobalOptionSet({
      data: { ...whole, DisplayName: label("Paints") },
      mergeLabels: true,
      castType,
    });
    const list = await demo().retrieveGlobalOptionSets({ castType, select: ["Name", "DisplayName"] });
    const found = list.value.find((choice) => choice.Name === "new_colours");
    assert.equal(shown(found.DisplayName), "Paints");
    assert.ok((await demo().retrieveGlobalOptionSets()).value.length > 0);
    await demo().deleteGlobalOptionSet({ key: id });
    assert.equal((await failure(demo().retrieveGlobalOptionSet({ key: id }))).status, 404);
  });
}

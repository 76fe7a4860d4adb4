//! What of the standard's cases lies outside the dialect of Dataverse, and why.

use super::cases::Case;

/// One reason.
pub struct Reason {
    pub why: &'static str,
    /// Rules it is about; all of them when empty.
    pub rules: &'static [&'static str],
    /// One of these is in the input; any input when empty.
    pub parts: &'static [&'static str],
    /// How many cases it explains.
    pub cases: usize,
}

impl Reason {
    pub fn fits(&self, case: &Case) -> bool {
        (self.rules.is_empty() || self.rules.contains(&case.rule.as_str()))
            && (self.parts.is_empty() || self.parts.iter().any(|part| case.input.contains(part)))
    }
}

const URLS: &[&str] = &["odataUri", "odataRelativeUri", "resourcePath"];
/// Rules of the cases about aggregation.
const APPLIED: &[&str] = &["queryOptions", "odataRelativeUri"];

/// The first that fits counts. What nothing here reads stands first, then URLs, `$apply`, other options, expressions.
pub const REASONS: &[Reason] = &[
    Reason {
        why: "Headers of answers, and versions, which nothing here reads.",
        rules: &["header"],
        parts: &[],
        cases: 13,
    },
    Reason {
        why: "Preferences that Dataverse does not know, or by their names of 4.01, are passed over.",
        rules: &["preference", "prefer"],
        parts: &[],
        cases: 13,
    },
    Reason {
        why: "Patterns of annotations are compared, not checked.",
        rules: &["includeAnnotationsPreference"],
        parts: &[],
        cases: 2,
    },
    Reason {
        why: "Context URLs are written here, never read.",
        rules: &["context"],
        parts: &[],
        cases: 43,
    },
    Reason {
        why: "Ids of the parts of a batch belong to HTTP.",
        rules: &["request-id"],
        parts: &[],
        cases: 2,
    },
    Reason {
        why: "There are no columns of places.",
        rules: &["geographyPoint", "geographyMultiPoint", "geographyLineString", "geographyMultiLineString", "geographyPolygon", "geographyMultiPolygon", "geographyCollection", "geometryPoint", "geometryMultiPoint", "geometryLineString", "geometryMultiLineString", "geometryPolygon", "geometryMultiPolygon", "geometryCollection"],
        parts: &[],
        cases: 18,
    },
    Reason {
        why: "There are no columns of durations or times of day.",
        rules: &["durationValue", "durationLiteral", "timeOfDayValue", "timeOfDayLiteral"],
        parts: &[],
        cases: 12,
    },
    Reason {
        why: "Binary columns cannot be compared.",
        rules: &["binaryLiteral"],
        parts: &[],
        cases: 10,
    },
    Reason {
        why: "Choices are numbers, not members of enumerations.",
        rules: &["enumLiteral", "enumValue"],
        parts: &[],
        cases: 8,
    },
    Reason {
        why: "Values in payloads are JSON.",
        rules: &["primitiveValue"],
        parts: &[],
        cases: 6,
    },
    Reason {
        why: "A part of something larger, which nothing here reads alone.",
        rules: &["odataIdentifier", "functionParameter", "stringInUrl", "searchExpr"],
        parts: &[],
        cases: 8,
    },
    Reason {
        why: "`$batch` takes POST only.",
        rules: URLS,
        parts: &["$batch"],
        cases: 4,
    },
    Reason {
        why: "There is no `$entity`, `$all`, `$crossjoin`, `$query`, `$filter` or `$each` in a path.",
        rules: URLS,
        parts: &["$entity", "$all", "$crossjoin", "/$query", "/$filter", "/$each"],
        cases: 37,
    },
    Reason {
        why: "Casts, bound functions and actions of a model's own, calls without parentheses, keys of what a call gives.",
        rules: URLS,
        parts: &["EmployeesByManager?", "ProductsByCategoryId?", "TheBestProduct", "Activation", "Model.", "Special.", "MostPopular", "AllOrders", "BestSellingProduct", "categoryId=2)(2)"],
        cases: 45,
    },
    Reason {
        why: "There are no structured columns, streams or columns of several values.",
        rules: URLS,
        parts: &["/Address", "/Thumbnail", "/EmailAddresses", "/Sizes", "Addresses("],
        cases: 16,
    },
    Reason {
        why: "There are no singletons.",
        rules: URLS,
        parts: &["SingletonEntity", "MainSupplier"],
        cases: 1,
    },
    Reason {
        why: "A key is an id in parentheses, or named columns that are an alternate key.",
        rules: URLS,
        parts: &["Categories(@key)", "ID=@key", "Customers('", "(%27", "%28%27", "Categories('", "(2018-", "(23", "ID=1,", "KeyAlias", "ItemID=", "/A1245", "O'Neil", "O%27Neil", "Categories/Smart", "/2001/", "Orders/1/", "Customers/1"],
        cases: 28,
    },
    Reason {
        why: "References are read of navigation properties only, and a row of a collection has an address of its own.",
        rules: &["odataRelativeUri"],
        parts: &["Products(1)", "Products(2)/$ref", "$id=Products(0)", "Categories/$ref", "Categories(1)/$ref"],
        cases: 5,
    },
    Reason {
        why: "There are no media entities.",
        rules: &["odataRelativeUri"],
        parts: &["Categories(1)/$value"],
        cases: 1,
    },
    Reason {
        why: "There is no `rollup`.",
        rules: APPLIED,
        parts: &["rollup"],
        cases: 14,
    },
    Reason {
        why: "An aggregate is reckoned in one step, without `from`.",
        rules: APPLIED,
        parts: &[" from "],
        cases: 12,
    },
    Reason {
        why: "There is no `$compute`.",
        rules: APPLIED,
        parts: &["compute("],
        cases: 11,
    },
    Reason {
        why: "The transformations are `filter`, `groupby` and `aggregate`.",
        rules: &["queryOptions"],
        parts: &["$apply=concat(", "nest(", "addnested(", "join(", "topcount", "topsum", "toppercent", "bottom", "$apply=identity", "ancestors(", "descendants(", "traverse(", "$apply=top(", "$apply=skip(", "$apply=orderby(", "search("],
        cases: 41,
    },
    Reason {
        why: "Hierarchies are asked after by the query functions `Above` and `Under`.",
        rules: APPLIED,
        parts: &["Aggregation."],
        cases: 7,
    },
    Reason {
        why: "Nothing follows `groupby` or `aggregate`.",
        rules: &["queryOptions"],
        parts: &["))/", "$filter=Total"],
        cases: 11,
    },
    Reason {
        why: "There are no aggregates in conditions.",
        rules: APPLIED,
        parts: &["$filter=Products/aggregate", "$filter=Sales/aggregate", "$these/aggregate", "Sales/aggregate("],
        cases: 11,
    },
    Reason {
        why: "There are no casts, and no methods of a model's own.",
        rules: &["queryOptions"],
        parts: &["Custom.", "Self."],
        cases: 14,
    },
    Reason {
        why: "There are no custom aggregates.",
        rules: APPLIED,
        parts: &["Forecast", "Budget"],
        cases: 5,
    },
    Reason {
        why: "Aggregates are of a row's own columns or those of a lookup's row, not of collections.",
        rules: &["queryOptions"],
        parts: &["aggregate(Sales/", "aggregate(Discounts/", "Sales/$count as", "Product/$count as", "Sales/Amount with"],
        cases: 6,
    },
    Reason {
        why: "There is no arithmetic.",
        rules: &["queryOptions"],
        parts: &[" sub ", " mul "],
        cases: 9,
    },
    Reason {
        why: "Annotations are no operands and cannot be selected or expanded.",
        rules: &["queryOptions"],
        parts: &["/@Measures"],
        cases: 1,
    },
    Reason {
        why: "Rows are grouped by columns, and columns are aggregated; not whole rows, structured columns or streams.",
        rules: &["queryOptions"],
        parts: &["(Customer/Country", "(Country,", "((Customer,", "Product/Image", "Product/ShipTo", "aggregate(Product with"],
        cases: 8,
    },
    Reason {
        why: "`$apply` ends in `groupby` or `aggregate`.",
        rules: &["queryOptions"],
        parts: &["$apply=filter("],
        cases: 2,
    },
    Reason {
        why: "There is no `$apply` inside `$expand`.",
        rules: APPLIED,
        parts: &["$expand=Products($apply"],
        cases: 1,
    },
    Reason {
        why: "There is no `$search`.",
        rules: &[],
        parts: &["$search=", "search=", "search("],
        cases: 51,
    },
    Reason {
        why: "There is no `$format`.",
        rules: &[],
        parts: &["$format", "format="],
        cases: 5,
    },
    Reason {
        why: "There is no `$skip`.",
        rules: &[],
        parts: &["$skip=", "skip("],
        cases: 1,
    },
    Reason {
        why: "There is no `$index`.",
        rules: &[],
        parts: &["$index", "index="],
        cases: 3,
    },
    Reason {
        why: "There is no `$schemaversion`.",
        rules: &[],
        parts: &["schemaversion"],
        cases: 4,
    },
    Reason {
        why: "There is no `$compute`.",
        rules: &[],
        parts: &["compute", "case("],
        cases: 4,
    },
    Reason {
        why: "Options of one's own are refused.",
        rules: &[],
        parts: &["!special", "!deltatoken", "find="],
        cases: 5,
    },
    Reason {
        why: "Of collections no references are expanded.",
        rules: &["expand"],
        parts: &["Items/$ref"],
        cases: 1,
    },
    Reason {
        why: "Parameter aliases do not count inside `$expand`.",
        rules: &["expand"],
        parts: &["@c=15"],
        cases: 1,
    },
    Reason {
        why: "There is no `$count` in the paths of `$expand`.",
        rules: &["expand"],
        parts: &["Items/$count"],
        cases: 3,
    },
    Reason {
        why: "Options keep their `$`.",
        rules: &["filter", "expand", "select", "queryOptions"],
        parts: &["filter=true", "expand=Items", "expand=Customer,Items(expand", "expand=Customer(levels", "select=Rating", "top=5&"],
        cases: 6,
    },
    Reason {
        why: "Blanks around an option's value are passed over.",
        rules: &["filter"],
        parts: &["= true"],
        cases: 1,
    },
    Reason {
        why: "Names of options are compared with case and keep their `$`.",
        rules: &[],
        parts: &["$OrderBy", "OrderBy="],
        cases: 2,
    },
    Reason {
        why: "Options keep their `$`.",
        rules: &["queryOptions"],
        parts: &["count=true"],
        cases: 1,
    },
    Reason {
        why: "There is no `$it`, `$this`, `$root`, `$these` or `$value`.",
        rules: &[],
        parts: &["$it", "$this", "$root", "$these", "$value"],
        cases: 15,
    },
    Reason {
        why: "Annotations are no operands and cannot be selected or expanded.",
        rules: &[],
        parts: &["@Core", "@Measures", "@Currency", "@Messages", "@Namespace"],
        cases: 13,
    },
    Reason {
        why: "There are no functions of places.",
        rules: &[],
        parts: &["geo."],
        cases: 5,
    },
    Reason {
        why: "Operators are compared with case.",
        rules: &[],
        parts: &[" EQ ", " Eq "],
        cases: 2,
    },
    Reason {
        why: "There is no `in`; the query function `In` stands for it.",
        rules: &[],
        parts: &[" in (", " in [", " in []"],
        cases: 10,
    },
    Reason {
        why: "There is no arithmetic.",
        rules: &[],
        parts: &[" add ", " sub ", " mul ", " div ", " divby ", " mod ", "-Price"],
        cases: 19,
    },
    Reason {
        why: "There is no `has`.",
        rules: &[],
        parts: &[" has "],
        cases: 3,
    },
    Reason {
        why: "Choices are numbers, not members of enumerations.",
        rules: &[],
        parts: &["Sales.Pattern", "'Yellow'"],
        cases: 3,
    },
    Reason {
        why: "There are no casts and no tests of types.",
        rules: &[],
        parts: &["cast(", "isof(", "isdefined("],
        cases: 11,
    },
    Reason {
        why: "Functions of text are `contains`, `startswith` and `endswith`.",
        rules: &[],
        parts: &["concat(", "indexof(", "substring(", "matchesPattern(", "tolower(", "toupper(", "trim(", "length(", "hassub"],
        cases: 15,
    },
    Reason {
        why: "There are no functions of dates and numbers.",
        rules: &[],
        parts: &["date(", "day(", "seconds(", "hour(", "datetime", "minute(", "month(", "now", "second(", "time(", "totaloffset", "year(", "ceiling(", "floor(", "round("],
        cases: 20,
    },
    Reason {
        why: "There are no lists or objects in expressions.",
        rules: &[],
        parts: &["[", "{"],
        cases: 14,
    },
    Reason {
        why: "The number of related rows is no operand.",
        rules: &[],
        parts: &["/$count"],
        cases: 12,
    },
    Reason {
        why: "Casts and bound functions of a model's own.",
        rules: &[],
        parts: &["Model.", "BestProduct", "Sales.Manager", "MostPopular"],
        cases: 45,
    },
    Reason {
        why: "There are no structured columns, streams or columns of several values.",
        rules: &[],
        parts: &["Address", "Sizes", "EmailAddresses", "Names", "Thumbnail"],
        cases: 22,
    },
    Reason {
        why: "Literals are compared with case.",
        rules: &["boolean"],
        parts: &[],
        cases: 1,
    },
    Reason {
        why: "Years are those from 1 to 9999.",
        rules: &[],
        parts: &["0000-01-01", "-10000-"],
        cases: 4,
    },
    Reason {
        why: "There are no leap seconds.",
        rules: &[],
        parts: &[":60Z"],
        cases: 1,
    },
    Reason {
        why: "Expressions are percent-decoded before they are read.",
        rules: &["dateTimeOffsetValue"],
        parts: &["%3A"],
        cases: 2,
    },
    Reason {
        why: "Numbers are finite.",
        rules: &[],
        parts: &["INF", "NaN"],
        cases: 6,
    },
    Reason {
        why: "There is no `$filter` in a path.",
        rules: &["propertyPathExpr"],
        parts: &["$filter("],
        cases: 1,
    },
    Reason {
        why: "There is no `$levels` and no `*` in `$expand`.",
        rules: &[],
        parts: &["$levels", "$expand=*"],
        cases: 3,
    },
    Reason {
        why: "Rows are ordered by columns, not by what is reckoned of them.",
        rules: &["orderby"],
        parts: &["Cost ge Revenue"],
        cases: 1,
    },
    Reason {
        why: "A column has one type, here text.",
        rules: &["boolCommonExpr"],
        parts: &["Size eq"],
        cases: 2,
    },
    Reason {
        why: "What leads to rows is no operand: a column must follow, or a lambda.",
        rules: &["firstMemberExpr", "commonExpr"],
        parts: &["Product", "Supplier", "Items", "Size"],
        cases: 7,
    },
    Reason {
        why: "There are no keys in paths of expressions.",
        rules: &["queryOptions"],
        parts: &["SalesPlan('"],
        cases: 1,
    },
    Reason {
        why: "Range variables mean something inside `any` and `all` only.",
        rules: &[],
        parts: &["lambda/", "$it/"],
        cases: 1,
    },
];

//! Reads a resource schema into a [`super::model`].
//!
//! The schemas are JSON Schema as CloudFormation's registry uses it:
//! <https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html>

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{
    SchemaError, docs,
    model::{Field, Replacement, Resource, Struct, Type},
    names,
    types::TypeName,
};

impl Resource {
    /// Reads a resource type's schema.
    ///
    /// # Errors
    ///
    /// When the schema refers to a definition that it does not have.
    pub(crate) fn read(type_name: &TypeName, schema: &Value) -> Result<Self, SchemaError> {
        let mut reader = Reader::new(type_name, schema);
        let mut properties = reader.structure(schema, names::structure(type_name.resource()))?;
        properties.doc = None;
        let mut definitions: Vec<_> = reader.structs.into_values().flatten().collect();
        box_cycles(&mut definitions);
        Ok(Self {
            type_name: type_name.clone(),
            properties,
            definitions,
            attributes: paths(schema, "readOnlyProperties").map(|path| path.replace('/', ".")).collect(),
            create_only: paths(schema, "createOnlyProperties").collect(),
            conditionally_create_only: paths(schema, "conditionalCreateOnlyProperties").collect(),
        })
    }
}

/// A property in the schema: the address of its object, and its name.
type Property<'a> = (*const Value, &'a str);

/// Reads one schema, and collects the types of its properties.
struct Reader<'a> {
    type_name: &'a TypeName,
    schema: &'a Value,
    read_only: BTreeSet<Property<'a>>,
    create_only: BTreeSet<Property<'a>>,
    conditionally_create_only: BTreeSet<Property<'a>>,
    /// The struct's name for each object, by address.
    named: BTreeMap<*const Value, String>,
    /// Finished definitions by name; `None` while one is being read.
    structs: BTreeMap<String, Option<Struct>>,
}

impl<'a> Reader<'a> {
    fn new(type_name: &'a TypeName, schema: &'a Value) -> Self {
        let properties = |key| pointers(schema, key).filter_map(|pointer| locate(schema, pointer)).collect();
        Self {
            type_name,
            schema,
            read_only: properties("readOnlyProperties"),
            create_only: properties("createOnlyProperties"),
            conditionally_create_only: properties("conditionalCreateOnlyProperties"),
            named: BTreeMap::new(),
            structs: BTreeMap::new(),
        }
    }

    fn structure(&mut self, object: &'a Value, name: String) -> Result<Struct, SchemaError> {
        let required = required(object);
        let mut fields = Vec::new();
        for (property, schema) in properties(object) {
            let location: Property<'a> = (std::ptr::from_ref(object), property.as_str());
            let is_required = required.contains(&property.as_str());
            // A definition that a writable property shares is read-only in one place only.
            let is_shared = is_required && !std::ptr::eq(object, self.schema);
            if self.read_only.contains(&location) && !is_shared {
                continue;
            }
            let kind = self.type_of(schema, property, &name)?;
            fields.push(Field {
                name: property.clone(),
                doc: schema["description"].as_str().and_then(docs::sentence),
                kind,
                required: is_required,
                replacement: self.replacement(location),
                allowed: allowed(self.resolved(schema)?),
            });
        }
        Ok(Struct { name, doc: object["description"].as_str().and_then(docs::sentence), fields })
    }

    /// Returns the type of a schema. `suggested` is its name if it is an object, `parent` the name of the struct that
    /// contains it.
    fn type_of(&mut self, schema: &'a Value, suggested: &str, parent: &str) -> Result<Type, SchemaError> {
        if let Some(reference) = schema["$ref"].as_str() {
            let definition = reference.rsplit('/').next().unwrap_or(suggested).to_owned();
            return self.type_of(self.resolved(schema)?, &definition, parent);
        }
        let types = types(schema);
        let pattern = schema["patternProperties"].as_object().and_then(|patterns| patterns.values().next());
        let others = Some(&schema["additionalProperties"]).filter(|others| others.is_object());
        if properties(schema).next().is_some() {
            self.definition(schema, suggested, parent)
        } else if let Some(values) = pattern.or(others) {
            Ok(Type::Map(Box::new(self.type_of(values, suggested, parent)?)))
        } else if types.contains(&"array") && types.len() == 1 {
            let items = &schema["items"];
            let item = if items.is_object() { self.type_of(items, suggested, parent)? } else { Type::Json };
            Ok(Type::List(Box::new(item)))
        } else if types.is_empty() {
            self.alternatives(schema, suggested, parent)
        } else {
            Ok(scalar(&types))
        }
    }

    /// Returns the type of a schema without one of its own: the type of its alternatives, if it is the same.
    fn alternatives(&mut self, schema: &'a Value, suggested: &str, parent: &str) -> Result<Type, SchemaError> {
        if schema["enum"].as_array().is_some_and(|values| values.iter().all(Value::is_string)) {
            return Ok(Type::Text);
        }
        let mut agreed = None;
        for alternative in ["oneOf", "anyOf"].iter().filter_map(|key| schema[key].as_array()).flatten() {
            let kind = self.type_of(alternative, suggested, parent)?;
            if agreed.get_or_insert_with(|| kind.clone()) != &kind {
                return Ok(Type::Json);
            }
        }
        Ok(agreed.unwrap_or(Type::Json))
    }

    /// Reads an object with known properties as a definition, once.
    fn definition(&mut self, object: &'a Value, suggested: &str, parent: &str) -> Result<Type, SchemaError> {
        let address = std::ptr::from_ref(object);
        if let Some(name) = self.named.get(&address) {
            return Ok(Type::Struct { name: name.clone(), boxed: false });
        }
        let defined = &self.schema["definitions"][suggested];
        let is_free = |name: &String| !self.structs.contains_key(name);
        let plain = Some(names::structure(suggested))
            .filter(|name| is_free(name) && (defined.is_null() || std::ptr::eq(defined, object)));
        let name = plain
            .into_iter()
            .chain([names::structure(&format!("{parent}{suggested}"))])
            .chain((2..).map(|number| names::structure(&format!("{parent}{suggested}{number}"))))
            .find(is_free)
            .unwrap_or_default();
        self.named.insert(address, name.clone());
        self.structs.insert(name.clone(), None);
        let structure = self.structure(object, name.clone())?;
        self.structs.insert(name.clone(), Some(structure));
        Ok(Type::Struct { name, boxed: false })
    }

    fn resolved(&self, schema: &'a Value) -> Result<&'a Value, SchemaError> {
        follow(self.schema, schema).ok_or_else(|| SchemaError::DanglingReference {
            type_name: self.type_name.clone(),
            reference: schema["$ref"].as_str().unwrap_or_default().to_owned(),
        })
    }

    fn replacement(&self, location: Property<'a>) -> Replacement {
        if self.create_only.contains(&location) {
            Replacement::Always
        } else if self.conditionally_create_only.contains(&location) {
            Replacement::Conditional
        } else {
            Replacement::Never
        }
    }
}

/// Returns an object's properties, including those of its alternatives: CloudFormation accepts one of them, the struct
/// has all.
fn properties(object: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let own = object["properties"].as_object();
    let alternatives = ["oneOf", "anyOf", "allOf"]
        .into_iter()
        .filter_map(|key| object[key].as_array())
        .flatten()
        .filter_map(|alternative| alternative["properties"].as_object());
    let mut seen = BTreeSet::new();
    own.into_iter()
        .chain(alternatives)
        .flat_map(Map::iter)
        .filter(|(_, schema)| schema.is_object())
        .filter(move |(name, _)| seen.insert(*name))
}

fn required(object: &Value) -> Vec<&str> {
    object["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn types(schema: &Value) -> Vec<&str> {
    match &schema["type"] {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Returns the type of a value that is neither a list nor an object with known properties. In a list of types, text is
/// another form of the same value: `["boolean", "string"]` is a boolean, `["object", "string"]` is JSON. A schema that
/// allows every scalar is text.
fn scalar(types: &[&str]) -> Type {
    let has = |name| types.contains(&name);
    match types {
        _ if has("string") && has("number") && has("boolean") => Type::Text,
        _ if has("object") || has("array") => Type::Json,
        _ if has("boolean") => Type::Boolean,
        _ if has("number") => Type::Number,
        _ if has("integer") => Type::Integer,
        _ => Type::Text,
    }
}

fn allowed(schema: &Value) -> Vec<String> {
    let values = if schema["items"]["enum"].is_array() { &schema["items"]["enum"] } else { &schema["enum"] };
    values.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Returns the schema at the end of a chain of references.
fn follow<'a>(root: &'a Value, schema: &'a Value) -> Option<&'a Value> {
    let mut schema = schema;
    // A longer chain is a cycle.
    for _ in 0..16 {
        match schema["$ref"].as_str() {
            Some(reference) => schema = root.pointer(reference.strip_prefix('#')?)?,
            None => return Some(schema),
        }
    }
    None
}

fn pointers<'a>(schema: &'a Value, key: &'a str) -> impl Iterator<Item = &'a str> {
    schema[key].as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// Returns a schema's list of property pointers as paths in a template: `/properties/Code/S3Key` → `Code/S3Key`.
pub(super) fn paths<'a>(schema: &'a Value, key: &'a str) -> impl Iterator<Item = String> + 'a {
    pointers(schema, key).filter_map(|pointer| Some(pointer.strip_prefix("/properties/")?.replace("/properties/", "/")))
}

/// Returns the property at a pointer such as `/properties/Rules/*/Name`. Lists and maps on its path are entered.
fn locate<'a>(root: &'a Value, pointer: &'a str) -> Option<Property<'a>> {
    let mut path = pointer.split('/').filter(|step| !matches!(*step, "" | "properties" | "items" | "*"));
    let mut property = path.next()?;
    let mut object = root;
    for next in path {
        let schema = properties(object).find(|(name, _)| *name == property)?.1;
        object = element(root, schema)?;
        property = next;
    }
    Some((std::ptr::from_ref(object), property))
}

/// Returns the innermost element of nested lists and maps.
fn element<'a>(root: &'a Value, schema: &'a Value) -> Option<&'a Value> {
    let mut schema = follow(root, schema)?;
    for _ in 0..16 {
        let pattern = schema["patternProperties"].as_object().and_then(|patterns| patterns.values().next());
        let Some(inner) = pattern.or_else(|| schema.get("items")) else { return Some(schema) };
        schema = follow(root, inner)?;
    }
    None
}

/// Boxes the fields through which a struct would contain itself. Lists and maps are on the heap anyway.
fn box_cycles(structs: &mut [Struct]) {
    let direct: BTreeMap<String, Vec<String>> = structs
        .iter()
        .map(|structure| {
            let inside = structure.fields.iter().filter_map(|field| match &field.kind {
                Type::Struct { name, .. } => Some(name.clone()),
                _ => None,
            });
            (structure.name.clone(), inside.collect())
        })
        .collect();
    for structure in structs {
        for field in &mut structure.fields {
            if let Type::Struct { name, boxed } = &mut field.kind {
                *boxed = reaches(&direct, name, &structure.name);
            }
        }
    }
}

fn reaches(direct: &BTreeMap<String, Vec<String>>, from: &str, to: &str) -> bool {
    let mut seen = BTreeSet::from([from]);
    let mut next = vec![from];
    while let Some(name) = next.pop() {
        if name == to {
            return true;
        }
        next.extend(direct.get(name).into_iter().flatten().map(String::as_str).filter(|name| seen.insert(name)));
    }
    false
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(schema: &Value) -> Resource {
        Resource::read(&"AWS::Test::Thing".parse().expect("a type name"), schema).expect("the schema is sound")
    }

    fn field<'a>(fields: &'a [Field], name: &str) -> &'a Field {
        fields.iter().find(|field| field.name == name).expect(name)
    }

    #[test]
    fn scalars_lists_maps_and_json() {
        let resource = read(&json!({ "properties": {
            "Name": { "type": "string" },
            "Flag": { "type": ["boolean", "string"] },
            "Policy": { "type": ["object", "string"] },
            "Anything": {},
            "Ids": { "type": "array", "items": { "type": "integer" } },
            "Tags": { "type": "object", "patternProperties": { ".*": { "type": "string" } } },
            "Ratio": { "anyOf": [{ "type": "number" }, { "type": "number" }] },
            "Either": { "oneOf": [{ "type": "number" }, { "type": "array" }] },
        }}));
        for (name, kind) in [
            ("Name", Type::Text),
            ("Flag", Type::Boolean),
            ("Policy", Type::Json),
            ("Anything", Type::Json),
            ("Ids", Type::List(Box::new(Type::Integer))),
            ("Tags", Type::Map(Box::new(Type::Text))),
            ("Ratio", Type::Number),
            ("Either", Type::Json),
        ] {
            assert_eq!(field(&resource.properties.fields, name).kind, kind, "{name}");
        }
    }

    #[test]
    fn alternatives_of_objects_become_one_struct() {
        let resource = read(&json!({
            "properties": { "Format": { "$ref": "#/definitions/Format" } },
            "definitions": { "Format": { "type": "object", "oneOf": [
                { "properties": { "Simple": { "type": "string" } } },
                { "properties": { "Parts": { "type": "string" } } },
            ]}},
        }));
        let names: Vec<_> = resource.definitions[0].fields.iter().map(|field| field.name.as_str()).collect();
        assert_eq!(names, ["Simple", "Parts"]);
    }

    #[test]
    fn read_only_properties_are_left_out_and_create_only_ones_marked() {
        let resource = read(&json!({
            "properties": {
                "Arn": { "type": "string" },
                "Rules": { "type": "array", "items": { "$ref": "#/definitions/Rule" } },
            },
            "definitions": { "Rule": { "type": "object", "properties": {
                "Id": { "type": "string" },
                "Name": { "type": "string" },
                "Mode": { "type": "string", "enum": ["a", "b"] },
            }}},
            "readOnlyProperties": ["/properties/Arn", "/properties/Rules/*/Id"],
            "createOnlyProperties": ["/properties/Rules/*/Name"],
            "conditionalCreateOnlyProperties": ["/properties/Rules/*/Mode"],
        }));
        assert_eq!(resource.properties.fields.len(), 1);
        let rule = &resource.definitions[0].fields;
        assert_eq!(rule.len(), 2);
        assert_eq!(field(rule, "Name").replacement, Replacement::Always);
        assert_eq!(field(rule, "Mode").replacement, Replacement::Conditional);
        assert_eq!(field(rule, "Mode").allowed, ["a", "b"]);
        assert_eq!(resource.attributes, ["Arn", "Rules.*.Id"]);
        assert_eq!(resource.create_only, ["Rules/*/Name"]);
    }

    #[test]
    fn recursive_structs_are_boxed() {
        let resource = read(&json!({
            "properties": { "Statement": { "$ref": "#/definitions/Statement" } },
            "definitions": {
                "Statement": { "type": "object", "properties": {
                    "Not": { "$ref": "#/definitions/Not" },
                    "All": { "type": "array", "items": { "$ref": "#/definitions/Statement" } },
                }},
                "Not": { "type": "object", "properties": { "Statement": { "$ref": "#/definitions/Statement" } } },
            },
        }));
        let boxed = |structure: &str, name: &str| {
            let definition = resource.definitions.iter().find(|found| found.name == structure).expect(structure);
            matches!(field(&definition.fields, name).kind, Type::Struct { boxed: true, .. })
        };
        assert!(boxed("Statement", "Not") && boxed("Not", "Statement"));
        assert!(!boxed("Statement", "All"));
        assert!(matches!(resource.properties.fields[0].kind, Type::Struct { boxed: false, .. }));
    }

    #[test]
    fn an_inline_object_does_not_take_a_definitions_name() {
        let object = |name: &str| json!({ "type": "object", "properties": { name: { "type": "string" } } });
        let resource = read(&json!({
            "properties": { "Rule": object("Inline"), "Other": { "$ref": "#/definitions/Rule" } },
            "definitions": { "Rule": object("Defined") },
        }));
        let names: Vec<_> = resource.definitions.iter().map(|found| found.name.as_str()).collect();
        assert_eq!(names, ["Rule", "ThingRule"]);
    }

    #[test]
    fn a_reference_to_nothing_is_an_error() {
        let schema = json!({ "properties": { "Rule": { "$ref": "#/definitions/Rule" } } });
        let error = Resource::read(&"AWS::Test::Thing".parse().expect("a type name"), &schema).expect_err("dangling");
        assert!(error.to_string().contains("#/definitions/Rule"));
    }
}

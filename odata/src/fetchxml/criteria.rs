//! Filters, conditions and orders as read from their elements.

use super::element::{elements, error, flag, invalid_node, required};
use super::limits::{FETCH_CONDITIONS_MAX, FETCH_DEPTH_MAX, FETCH_VALUES_MAX};
use super::read::{bad_link_type, count, link_kind, too_many, Reader, Stand};
use super::scope::{column_of, Scope};
use super::{condition, Condition, Criteria, Operator, Order, OrderKey, Test};
use crate::error::{ODataError, Result};
use roxmltree::Node;

impl<'s> Reader<'s, '_> {
    /// One `filter` with everything in it.
    pub(super) fn filter(&mut self, node: Node, scope: &Scope<'s>, depth: usize) -> Result<Criteria> {
        if depth > FETCH_DEPTH_MAX {
            return Err(too_many("levels of elements", FETCH_DEPTH_MAX));
        }
        let mut parts = Vec::new();
        for child in elements(node)? {
            parts.push(match child.tag_name().name() {
                "condition" => {
                    count(&mut self.counts.conditions, "conditions", FETCH_CONDITIONS_MAX)?;
                    Criteria::Condition(self.condition(child, scope)?)
                }
                "filter" => self.filter(child, scope, depth + 1)?,
                "link-entity" => {
                    if !link_kind(child)?.in_filter() {
                        return Err(bad_link_type());
                    }
                    Criteria::Link(Box::new(self.link(child, scope.table, Stand::Apart, depth + 1)?))
                }
                _ => return Err(invalid_node(child)),
            });
        }
        match node.attribute("type") {
            None | Some("and") => Ok(Criteria::And(parts)),
            Some("or") => Ok(Criteria::Or(parts)),
            Some(_) => Err(error(
                "0x80041122",
                "Unsupported filter type. Valid values are 'and', or 'or'.".to_owned(),
            )),
        }
    }

    fn condition(&mut self, node: Node, scope: &Scope<'s>) -> Result<Condition> {
        if node.attribute("aggregate").is_some() {
            return Err(ODataError::not_implemented("Conditions on figures are not supported."));
        }
        let (entity, table) = scope.entity(node.attribute("entityname"))?;
        let column = column_of(table, required(node, "attribute")?)?;
        let operator = Operator::by_keyword(required(node, "operator")?)
            .ok_or_else(|| error("0x80041120", "Unsupported condition operator.".to_owned()))?;
        let test = match node.attribute("valueof") {
            Some(other) => scope.value_of(other, column, operator)?,
            None => {
                let values = self.values(node, operator)?;
                let filter = condition::filter(column, operator, &values)?;
                Test::Values { operator, values, filter }
            }
        };
        Ok(Condition { entity, column: column.logical_name.clone(), test })
    }

    /// Values as written: elements `value`, or else the attribute.
    fn values(&mut self, node: Node, operator: Operator) -> Result<Vec<String>> {
        let mut values = Vec::new();
        for child in elements(node)? {
            if !child.has_tag_name("value") {
                return Err(invalid_node(child));
            }
            if child.children().any(|inner| inner.is_element()) {
                return Err(error("0x8004111c", "Element 'value' holds elements.".to_owned()));
            }
            count(&mut self.counts.values, "values", FETCH_VALUES_MAX)?;
            // What comments cut apart belongs together.
            values.push(child.children().filter(Node::is_text).filter_map(|text| text.text()).collect());
        }
        if values.is_empty() {
            values.extend(node.attribute("value").map(str::to_owned));
        }
        if !operator.takes_values() {
            values.clear();
        }
        Ok(values)
    }

    /// One `order`.
    pub(super) fn order(&self, node: Node, scope: &Scope<'s>) -> Result<Order> {
        let descending = flag(node, "descending", "0x80041119")?;
        let by = match (node.attribute("alias"), self.aggregate) {
            (Some(alias), true) => OrderKey::Alias(alias.to_owned()),
            (None, false) => {
                let (entity, table) = scope.entity(node.attribute("entityname"))?;
                let column = column_of(table, required(node, "attribute")?)?;
                OrderKey::Column { entity, column: column.logical_name.clone() }
            }
            (Some(_), false) => {
                return Err(error("0x8004111f", "Only an aggregate is ordered by alias.".to_owned()))
            }
            (None, true) => {
                return Err(error("0x8004111f", "An aggregate is ordered by alias only.".to_owned()))
            }
        };
        Ok(Order { by, descending })
    }
}

//! Writing content. A post is written together with its category's count, content is created and deleted together with its
//! view counter; each in one transaction, so that counts never disagree with what is there.
//!
//! The SDK gives each transaction a token, so one whose answer was lost is not carried out again (Amazon DynamoDB API
//! reference, `TransactWriteItems`, "Idempotency").

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::{transact_write_items::TransactWriteItemsError, update_item::UpdateItemError},
    types::{AttributeValue, Delete, Put, TransactWriteItem, Update},
};

use super::{
    StoreError, Table,
    contents::item_of,
    item::{Item, text},
    keys,
    written::Written,
};
use crate::content::{Content, Stored};

/// The reason of DynamoDB's for cancelling a transaction that is our condition's failure:
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>.
const CONDITION_FAILED: &str = "ConditionalCheckFailed";
/// ... and those that pass: somebody else is writing the same item, or too many are.
const PASSING: [&str; 3] = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];

/// An expression with what its placeholders stand for.
#[derive(Debug, Default)]
struct Expression {
    set: Vec<String>,
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
}

impl Expression {
    fn name(&mut self, placeholder: &str, name: &str) {
        self.names.insert(placeholder.to_owned(), name.to_owned());
    }

    fn set(&mut self, path: &str, placeholder: &str, value: AttributeValue) {
        self.set.push(format!("{path} = {placeholder}"));
        self.values.insert(placeholder.to_owned(), value);
    }
}

impl Table {
    /// Creates content with its view counter, and with one more post in its category.
    pub(super) async fn put_new<C: Content>(&self, stored: &Stored<C>) -> Result<Written, StoreError> {
        let what = "create content";
        let put = |item: Item| Put::builder().table_name(&self.name).set_item(Some(item));
        let (id, now) = (stored.content.id(), stored.content.created_at());
        let content = put(item_of(stored)?).condition_expression("attribute_not_exists(PK)");
        let mut writes = vec![TransactWriteItem::builder().put(content.build().map_err(built(what))?).build()];
        let views = put(Self::new_views(C::KIND, id, now)).build().map_err(built(what))?;
        writes.push(TransactWriteItem::builder().put(views).build());
        if let Some(category) = stored.content.category() {
            writes.push(TransactWriteItem::builder().update(self.more_in(category, now)?).build());
        }
        self.transact(what, writes).await.map(Outcome::written)
    }

    /// Writes what differs between the two, if the item still is the old one in what its place in the index and its
    /// category's count depend on.
    pub(super) async fn replace<C: Content>(&self, old: &Stored<C>, new: &Stored<C>) -> Result<Written, StoreError> {
        let what = "change content";
        let key = keys::content(C::KIND, old.content.id()).item();
        let Expression { set, names, mut values } = difference(&item_of(old)?, &item_of(new)?);
        let expression = format!("SET {}", set.join(", "));
        let mut condition = "attribute_exists(PK) AND GSI1PK = :partition".to_owned();
        values.insert(":partition".to_owned(), text(old.indexed().partition));
        let mut names = names;
        if let Some(category) = old.content.category() {
            condition.push_str(" AND #data.#category = :counted");
            names.insert("#category".to_owned(), "category".to_owned());
            values.insert(":counted".to_owned(), text(category));
        }
        let moved = old.content.category().zip(new.content.category()).filter(|(old, new)| old != new);
        let Some((from, to)) = moved else {
            let update = self.client.update_item().table_name(&self.name).set_key(Some(key));
            let update = update.update_expression(expression).condition_expression(condition);
            let update =
                update.set_expression_attribute_names(Some(names)).set_expression_attribute_values(Some(values));
            return match update.send().await {
                Ok(_) => Ok(Written::Yes),
                Err(SdkError::ServiceError(error))
                    if matches!(
                        error.err(),
                        // The second: a transaction is writing the item.
                        UpdateItemError::ConditionalCheckFailedException(_)
                            | UpdateItemError::TransactionConflictException(_)
                    ) =>
                {
                    Ok(Written::Stale)
                }
                Err(error) => Err(StoreError::aws(what)(error)),
            };
        };
        let update = Update::builder()
            .table_name(&self.name)
            .set_key(Some(key))
            .update_expression(expression)
            .condition_expression(condition)
            .set_expression_attribute_names(Some(names))
            .set_expression_attribute_values(Some(values))
            .build()
            .map_err(built(what))?;
        let now = item_time(new)?;
        let counted = [self.more_in(to, &now)?, self.less_in(from, &now)?];
        self.transact_counted(what, TransactWriteItem::builder().update(update).build(), counted.into()).await
    }

    /// Deletes content with its view counter, and with one post less in its category.
    pub(super) async fn remove<C: Content>(&self, old: &Stored<C>) -> Result<Written, StoreError> {
        let what = "delete content";
        let id = old.content.id();
        let mut delete = Delete::builder().table_name(&self.name).set_key(Some(keys::content(C::KIND, id).item()));
        let category = old.content.category();
        delete = match category {
            Some(category) => delete
                .condition_expression("attribute_exists(PK) AND #data.#category = :counted")
                .expression_attribute_names("#data", "Data")
                .expression_attribute_names("#category", "category")
                .expression_attribute_values(":counted", text(category)),
            None => delete.condition_expression("attribute_exists(PK)"),
        };
        let delete = TransactWriteItem::builder().delete(delete.build().map_err(built(what))?).build();
        let views = Delete::builder().table_name(&self.name).set_key(Some(keys::views_of(C::KIND, id).item()));
        let views = TransactWriteItem::builder().delete(views.build().map_err(built(what))?).build();
        let less = category.map(|category| self.less_in(category, old.content.created_at())).transpose()?;
        let mut writes = vec![delete.clone(), views.clone()];
        writes.extend(less.map(|less| TransactWriteItem::builder().update(less).build()));
        match self.transact(what, writes).await? {
            // A count that is wrong already must not keep the post from being deleted.
            Outcome::Failed(2) => self.transact(what, vec![delete, views]).await.map(Outcome::written),
            outcome => Ok(outcome.written()),
        }
    }

    /// A change with one post more in a category and one less in another: `counted`, in this order.
    async fn transact_counted(
        &self,
        what: &'static str,
        change: TransactWriteItem,
        counted: Vec<Update>,
    ) -> Result<Written, StoreError> {
        let counted = counted.into_iter().map(|update| TransactWriteItem::builder().update(update).build());
        let writes: Vec<_> = std::iter::once(change).chain(counted).collect();
        match self.transact(what, writes.clone()).await? {
            // As above: the old category's count is wrong already.
            Outcome::Failed(2) => self.transact(what, writes[..2].to_vec()).await.map(Outcome::written),
            outcome => Ok(outcome.written()),
        }
    }

    async fn transact(&self, what: &'static str, writes: Vec<TransactWriteItem>) -> Result<Outcome, StoreError> {
        match self.client.transact_write_items().set_transact_items(Some(writes)).send().await {
            Ok(_) => Ok(Outcome::Done),
            Err(error) => outcome(&error).map_or_else(|| Err(StoreError::aws(what)(error)), Ok),
        }
    }
}

/// How a transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Done,
    /// The condition of the write at this index failed, and no earlier one's.
    Failed(usize),
    /// Others were writing the same items.
    Passing,
}

impl Outcome {
    fn written(self) -> Written {
        if self == Self::Done { Written::Yes } else { Written::Stale }
    }
}

/// Why a transaction was cancelled, if that is somebody else's doing.
fn outcome<R>(error: &SdkError<TransactWriteItemsError, R>) -> Option<Outcome> {
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = error.as_service_error()? else {
        return None;
    };
    let codes: Vec<_> = cancelled.cancellation_reasons().iter().map(|reason| reason.code().unwrap_or("None")).collect();
    let failed = codes.iter().position(|code| *code == CONDITION_FAILED).map(Outcome::Failed);
    failed.or_else(|| codes.iter().any(|code| PASSING.contains(code)).then_some(Outcome::Passing))
}

/// What to set so that one item becomes another: attributes, and the fields of `Data` one by one, so that changes of
/// other fields at the same time are kept.
fn difference(old: &Item, new: &Item) -> Expression {
    let mut expression = Expression::default();
    expression.name("#data", "Data");
    for name in ["Status", "GSI1PK", "GSI1SK", "UpdatedAt"] {
        if let Some(value) = new.get(name).filter(|value| old.get(name) != Some(value)) {
            expression.name(&format!("#{name}"), name);
            expression.set(&format!("#{name}"), &format!(":{name}"), value.clone());
        }
    }
    let fields = |item: &Item| item.get("Data").and_then(|data| data.as_m().ok()).cloned().unwrap_or_default();
    let before = fields(old);
    // Sorted, so that the same change is always the same request.
    let after: std::collections::BTreeMap<_, _> = fields(new).into_iter().collect();
    for (name, value) in after {
        // Always the time, so that there is something to set.
        if name == "updatedAt" || before.get(&name) != Some(&value) {
            expression.name(&format!("#{name}"), &name);
            expression.set(&format!("#data.#{name}"), &format!(":{name}"), value);
        }
    }
    expression
}

fn item_time<C: Content>(stored: &Stored<C>) -> Result<String, StoreError> {
    let data = serde_json::to_value(&stored.content)?;
    Ok(data["updatedAt"].as_str().unwrap_or_default().to_owned())
}

/// What the SDK says about a write that lacks something: never, since nothing is left out above.
pub(super) fn built(what: &'static str) -> impl Fn(aws_sdk_dynamodb::error::BuildError) -> StoreError {
    move |error| StoreError::Aws { what, source: Box::new(error) }
}

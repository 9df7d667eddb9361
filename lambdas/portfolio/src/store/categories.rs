//! How many posts each category has (access pattern 7; counted by patterns 3, 4 and 5).

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{Update, builders::UpdateBuilder};

use super::{
    StoreError, Table,
    item::{count_of, number, strings, text},
    keys::{self, CATEGORIES},
    write::built,
};

impl Table {
    /// Every category that has posts, with how many.
    ///
    /// # Errors
    /// When the categories cannot be read.
    pub async fn categories(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        let items = self.whole(CATEGORIES, "list the categories").await?;
        let counted = items.iter().filter_map(|item| {
            let name = item.get("Data")?.as_m().ok()?.get("name")?.as_s().ok()?.clone();
            Some((name, count_of(item, "CategoryCount")))
        });
        Ok(counted.filter(|(_, count)| *count > 0).collect())
    }

    /// One post more in a category.
    pub(super) fn more_in(&self, category: &str, now: &str) -> Result<Update, StoreError> {
        let key = keys::category(category);
        let update = self.counted(category, now, 1).update_expression(
            "ADD CategoryCount :change SET UpdatedAt = :now, CreatedAt = if_not_exists(CreatedAt, :now), \
             EntityType = :entity, GSI1PK = :partition, GSI1SK = :sort, #data = if_not_exists(#data, :init)",
        );
        update
            .expression_attribute_names("#data", "Data")
            .expression_attribute_values(":entity", text("BLOG_CATEGORY"))
            .expression_attribute_values(":partition", text(CATEGORIES))
            .expression_attribute_values(":sort", text(key.partition))
            .expression_attribute_values(":init", strings([("name", category)]))
            .build()
            .map_err(built("count a category's posts"))
    }

    /// One post less in a category that has some.
    pub(super) fn less_in(&self, category: &str, now: &str) -> Result<Update, StoreError> {
        self.counted(category, now, -1)
            .update_expression("ADD CategoryCount :change SET UpdatedAt = :now")
            .condition_expression("CategoryCount > :none")
            .expression_attribute_values(":none", number(0))
            .build()
            .map_err(built("count a category's posts"))
    }

    fn counted(&self, category: &str, now: &str, change: i64) -> UpdateBuilder {
        Update::builder()
            .table_name(&self.name)
            .set_key(Some(keys::category(category).item()))
            .expression_attribute_values(":change", number(change))
            .expression_attribute_values(":now", text(now))
    }
}

//! One order, and what stands in it.

use data_encoding::BASE64;
use serde_json::Value;

use crate::Result;

/// A line of input.
pub(crate) struct Order(Value);

impl Order {
    pub(crate) fn parse(line: &str) -> Result<Self> {
        Ok(Order(serde_json::from_str(line)?))
    }

    /// Part of an order, with the same words in it.
    pub(crate) fn part(value: &Value) -> Self {
        Order(value.clone())
    }

    pub(crate) fn number(&self) -> Value {
        self.0["n"].clone()
    }

    pub(crate) fn verb(&self) -> Result<&str> {
        self.text("do")
    }

    pub(crate) fn text(&self, name: &str) -> Result<&str> {
        self.0[name].as_str().ok_or_else(|| self.lacks(name))
    }

    pub(crate) fn text_or_none(&self, name: &str) -> Option<&str> {
        self.0[name].as_str()
    }

    pub(crate) fn amount(&self, name: &str) -> Result<u64> {
        self.amount_or_none(name).ok_or_else(|| self.lacks(name))
    }

    pub(crate) fn amount_or_none(&self, name: &str) -> Option<u64> {
        self.0[name].as_u64()
    }

    pub(crate) fn flag(&self, name: &str, default: bool) -> bool {
        self.0[name].as_bool().unwrap_or(default)
    }

    /// The parts of a list; none if there is no list.
    pub(crate) fn list(&self, name: &str) -> &[Value] {
        self.0[name].as_array().map_or(&[], Vec::as_slice)
    }

    pub(crate) fn amounts(&self, name: &str) -> Vec<u64> {
        self.list(name).iter().filter_map(Value::as_u64).collect()
    }

    pub(crate) fn bytes(&self, name: &str) -> Result<Vec<u8>> {
        Ok(BASE64.decode(self.text(name)?.as_bytes())?)
    }

    pub(crate) fn many_bytes(&self, name: &str) -> Result<Vec<Vec<u8>>> {
        let texts = self.list(name).iter().filter_map(Value::as_str);
        let decoded = texts.map(|text| BASE64.decode(text.as_bytes()));
        Ok(decoded.collect::<std::result::Result<_, _>>()?)
    }

    fn lacks(&self, name: &str) -> crate::Failure {
        format!("no {name} in {}", self.0).into()
    }
}

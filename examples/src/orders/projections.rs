//! The two projections that each region keeps over all logs of both scopes, and how their rows are
//! read back.

use std::collections::BTreeMap;
use std::sync::Arc;

use dcp_core::error::Error;
use dcp_core::event::Record;
use dcp_core::ids::ProjectionId;
use dcp_replay::model::decode;
use dcp_replay::{Applied, LateRule, Model, ModelStore, Projection, ReadModel};

use super::event::line_of;
use super::line::OrderLine;
use super::read_models::{Figures, ReadModels, SalesModel, StockModel};
use super::sales::Counts;
use super::stock::{Stock, StockItem};

/// Row of the figures over all lines.
const TOTAL: &str = "total";
/// Before a country: its figures.
const COUNTRY: &str = "country/";
/// Before an invoice number: the countries that it was seen with.
const INVOICE: &str = "invoice/";
/// Row of a stream's level and chain.
const ITEM: &str = "item";

/// Name of a projection of this module.
#[allow(clippy::expect_used)] // Called with the two constants below, which keep the rule; a test holds them to it.
fn named(name: &'static str) -> ProjectionId {
    ProjectionId::new(name).expect("a lawful constant")
}

// A line belongs to the scope of its home; anywhere else it was put by something other than a producer.
fn line_at<'a>(event: &Applied<'a>) -> Result<OrderLine<'a>, Error> {
    let record: &'a Record = event.record;
    let line = line_of(record).map_err(|error| error.at(event.log))?;
    if line.home()?.scope() == event.log.scope().as_str() {
        Ok(line)
    } else {
        Err(Error::corrupt("other-home", format!("{}: line {} is at home elsewhere", event.log, line.number())))
    }
}

/// `sales`: counts and revenue, which commute.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct SalesProjection;

impl SalesProjection {
    /// The projection.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

impl Projection for SalesProjection {
    fn id(&self) -> ProjectionId {
        named("sales")
    }

    fn late_rule(&self) -> LateRule {
        LateRule::Commutes
    }

    fn apply(&self, model: &mut Model<'_>, event: &Applied<'_>) -> Result<(), Error> {
        let line = line_at(event)?;
        let invoice = format!("{INVOICE}{}", line.invoice());
        let country = format!("{COUNTRY}{}", line.country());
        // Every row is asked for before the first error, so that all that is missing is loaded at once.
        let (seen, total, here) =
            (model.read::<Vec<String>>(&invoice), model.read::<Counts>(TOTAL), model.read::<Counts>(&country));
        let (mut seen, mut total, mut here) =
            (seen?.unwrap_or_default(), total?.unwrap_or_default(), here?.unwrap_or_default());
        let new_here = !seen.iter().any(|name| name == line.country());
        total.add(&line, seen.is_empty())?;
        here.add(&line, new_here)?;
        if new_here {
            seen.push(line.country().to_owned());
            model.write(&invoice, &seen)?;
        }
        model.write(TOTAL, &total)?;
        model.write(&country, &here)
    }
}

/// `stock`: level and chain per scope and stock code, which are folded again where something was late.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct StockProjection;

impl StockProjection {
    /// The projection.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

impl Projection for StockProjection {
    fn id(&self) -> ProjectionId {
        named("stock")
    }

    fn late_rule(&self) -> LateRule {
        LateRule::RebuildStream
    }

    fn apply(&self, model: &mut Model<'_>, event: &Applied<'_>) -> Result<(), Error> {
        let line = line_at(event)?;
        let item: StockItem = model.read(ITEM)?.unwrap_or_default();
        model.write(ITEM, &item.then(event.record.id, &line)?)
    }
}

/// Both projections, for a projector.
#[must_use]
pub fn projections() -> Vec<Arc<dyn Projection>> {
    vec![Arc::new(SalesProjection::new()), Arc::new(StockProjection::new())]
}

/// What a region's committed rows say, as the verdict writes it. The two models are read one after
/// the other: while lines are still applied, they need not be of one moment.
///
/// # Errors
/// `Retry` if the rows cannot be read now; `Corrupt` if they are of another form.
pub async fn read_models(models: Arc<dyn ModelStore>) -> Result<ReadModels, Error> {
    let sales = sales_model(&ReadModel::new(Arc::clone(&models), &SalesProjection::new().id())).await?;
    let stock = stock_model(&ReadModel::new(models, &StockProjection::new().id())).await?;
    Ok(ReadModels { sales, stock })
}

/// What the rows of `sales` say.
///
/// # Errors
/// As [`read_models`].
pub async fn sales_model(rows: &ReadModel) -> Result<SalesModel, Error> {
    let total: Counts = rows.row(TOTAL).await?.unwrap_or_default();
    let mut by_country: BTreeMap<String, Figures> = BTreeMap::new();
    for (key, value) in rows.rows(COUNTRY).await? {
        let counts: Counts = decode(&value)?;
        let country = key.strip_prefix(COUNTRY).unwrap_or(&key);
        by_country.insert(country.to_owned(), counts.figures());
    }
    Ok(SalesModel { total: total.figures(), by_country })
}

/// What the rows of `stock` say.
///
/// # Errors
/// As [`read_models`].
pub async fn stock_model(rows: &ReadModel) -> Result<StockModel, Error> {
    let mut stock = Stock::new();
    for (scope, stream, key, value) in rows.stream_rows().await? {
        if key != ITEM {
            return Err(Error::corrupt("bad-row", format!("{scope}: stream {stream} has a row {key:?}")));
        }
        stock.put(scope.as_str(), stream.as_str(), decode(&value)?);
    }
    Ok(stock.model())
}

#[cfg(test)]
mod tests;

//! What both regions must hold at the end, from the file alone.

use dcp_core::error::Error;

use super::line::OrderLine;
use super::read_models::ReadModels;
use super::sales::Sales;
use super::stock::Stock;

/// The read models of these lines, taken in file order.
///
/// # Errors
/// `Invalid` with the record number, for a line that cannot be read.
pub fn expected<'a>(lines: impl IntoIterator<Item = OrderLine<'a>>) -> Result<ReadModels, Error> {
    let (mut sales, mut stock) = (Sales::new(), Stock::new());
    for line in lines {
        sales.add(&line)?;
        stock.add(&line)?;
    }
    Ok(ReadModels { sales: sales.model(), stock: stock.model() })
}

#[cfg(test)]
mod tests;

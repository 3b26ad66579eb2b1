use std::path::PathBuf;
use std::process::Command;

use super::*;
use crate::orders::load::Orders;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn of_bundled(limit: Option<u64>) -> (Orders, ReadModels) {
    let orders = Orders::bundled(&folder().join("data/online-retail.csv.zst"), limit).unwrap();
    let models = expected(orders.iter()).unwrap();
    (orders, models)
}

fn assert_golden(models: &ReadModels, sales: (u64, u64, u64, &str), stock: (u64, &str, &str)) {
    let total = &models.sales.total;
    assert_eq!((total.lines, total.invoices, total.cancelled_lines, total.revenue.as_str()), sales);
    let found = (models.stock.items, models.stock.levels_digest.as_str(), models.stock.chain_digest.as_str());
    assert_eq!(found, stock);
    assert_eq!(models.sales.by_country.values().map(|country| country.lines).sum::<u64>(), total.lines);
}

#[test]
fn the_first_3000_lines_add_up_to_the_golden_figures() {
    let (_, models) = of_bundled(Some(3_000));
    assert_golden(
        &models,
        (3_000, 138, 26, "57004.33"),
        (
            1_407,
            "69d2eea87dc1a86050775b8402cea58e99d78a6913ef4953365f6a363b055c6e",
            "c0714652bf5a0ae594bf1b5e4bb74e0450b805c8c25bbecdd1984f9fe6e24f32",
        ),
    );
}

#[test]
fn all_lines_add_up_to_the_golden_figures() {
    let (_, models) = of_bundled(None);
    assert_golden(
        &models,
        (541_909, 25_900, 9_288, "9747747.934"),
        (
            6_669,
            "9ff31312eba2a71c01b0b0cc75d396669119341fc09bdf578ff892d944835c0b",
            "1ffe56378a2dce072830fa4bc2a01230fdac469afc87a4cbb4414dd6eb558f84",
        ),
    );
    assert_eq!(models.sales.by_country.len(), 38);
}

// The order file is written once more from the parsed lines, so the checker reads other bytes than
// ours were parsed from, and the figures can only agree if both read every field alike.
fn unpacked(orders: &Orders) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut writer = csv::Writer::from_writer(file.reopen().unwrap());
    writer.write_record(crate::orders::line::COLUMNS).unwrap();
    orders.iter().for_each(|line| writer.write_record(line.fields()).unwrap());
    writer.flush().unwrap();
    file
}

#[test]
#[cfg_attr(without_python3, ignore = "python3 is absent")]
fn python_checker_computes_the_same_from_the_file() {
    let (orders, models) = of_bundled(Some(60_000));
    let data = unpacked(&orders);
    let output = Command::new("python3")
        .arg(folder().join("check_drill.py"))
        .args(["--expect-only", "--data"])
        .arg(data.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let computed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(serde_json::to_value(&models).unwrap(), computed);
    assert_eq!(serde_json::from_value::<ReadModels>(computed).unwrap(), models);
}

#[test]
#[cfg_attr(without_python3, ignore = "python3 is absent")]
fn python_checker_catches_every_corruption_of_its_own_sample() {
    let output = Command::new("python3").arg(folder().join("check_drill.py")).arg("--self-test").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

//! The drill in memory, on paused time, over real order lines.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use examples::orders::Orders;
use examples::simulation::{Defect, FaultPlan, Report, drill};

fn orders(lines: u64) -> Arc<Orders> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join("online-retail.csv.zst");
    Arc::new(Orders::bundled(&path, Some(lines)).unwrap())
}

fn all_lines() -> &'static Arc<Orders> {
    static LINES: OnceLock<Arc<Orders>> = OnceLock::new();
    LINES.get_or_init(|| orders(1_000))
}

fn tell(plan: FaultPlan, defect: Option<Defect>) -> Report {
    drill(plan, 1, defect, all_lines()).unwrap()
}

#[test]
fn every_plan_passes() {
    for plan in FaultPlan::all().into_iter().filter(|plan| plan.dark.is_some()) {
        let report = tell(plan, None);
        println!("{}: {:?} {:?}", report.plan, report.happened, report.checked);
        assert!(report.passed(), "{}", report.replay());
    }
}

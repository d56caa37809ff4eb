//! What an embedding program expects of values: that they can be kept,
//! compared, sent to another thread and turned into one another.

use dumpcore::{Cause, Changes, Fault, Op, Removal, Report, RestoreReport, Restored};

fn is_value<T: Clone + PartialEq + std::fmt::Debug + Send + Sync + 'static>() {}

#[test]
fn what_runs_tell_can_be_kept_and_compared() {
    is_value::<Cause>();
    is_value::<Changes>();
    is_value::<Fault>();
    is_value::<Removal>();
    is_value::<Report>();
    is_value::<RestoreReport>();
    is_value::<Restored>();
    let fault = Fault::new(Op::Open, "/a", std::io::Error::from_raw_os_error(13));
    assert_eq!(fault.clone(), fault);
}

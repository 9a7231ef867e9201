//! Nobody has changed a figure in the documentation by hand.

#[path = "../../benches/record/mod.rs"]
mod record;

#[test]
fn every_table_is_what_the_measurements_say() {
    let pages = record::tables::pages(record::repository()).expect("every marker can be shown");
    for page in pages {
        let path = page.path.display();
        assert_eq!(page.is, page.should_be, "{path}: run script/bench tables");
    }
}

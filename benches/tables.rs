//! Makes the tables in `README.md` and `docs/` from the measurements; `script/bench tables` runs it.

mod record;

use std::process::ExitCode;

fn main() -> ExitCode {
    let check = std::env::args().any(|arg| arg == "--check");
    let pages = match record::tables::pages(record::repository()) {
        Ok(pages) => pages,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let mut code = ExitCode::SUCCESS;
    for page in pages.iter().filter(|page| page.is != page.should_be) {
        let path = page.path.strip_prefix(record::repository()).unwrap_or(&page.path).display();
        if check {
            eprintln!("{path}: its tables are not what the measurements say; run script/bench tables");
            code = ExitCode::FAILURE;
        } else if let Err(error) = std::fs::write(&page.path, &page.should_be) {
            eprintln!("{path}: {error}");
            code = ExitCode::FAILURE;
        } else {
            println!("{path}: made anew");
        }
    }
    println!("{} pages with tables", pages.len());
    code
}

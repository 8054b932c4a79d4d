//! Pages opened by headless Chromium, where one is installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// What a browser made of a page.
pub struct Found {
    /// The document after the script.
    pub document: String,
    /// Messages of the console.
    pub console: String,
}

/// The browser, where there is one.
fn chromium() -> Option<PathBuf> {
    let paths = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found = std::env::split_paths(&paths).flat_map(|folder| names.map(|name| folder.join(name)));
    found.into_iter().find(|path| path.is_file())
}

/// The major version of the browser, where there is one.
pub fn major_version() -> Option<u32> {
    let output = Command::new(chromium()?).arg("--version").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    text.split([' ', '.']).find_map(|word| word.parse().ok())
}

/// Opens `file`, whose profile and other files are in `folder`, with further `flags`. Without a browser it says so.
pub fn open(file: &Path, folder: &Path, flags: &[String]) -> Option<Output> {
    let Some(chromium) = chromium() else {
        eprintln!("no chromium is installed: pages are not opened");
        return None;
    };
    let output = Command::new(chromium)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
        ])
        .args(["--enable-logging=stderr", "--virtual-time-budget=5000"])
        .args(flags)
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .arg(format!("file://{}", file.display()))
        .output();
    Some(output.unwrap())
}

/// Opens `page` from disk, with `script` run at its end, and looks at what `check` is told.
pub fn browser(page: &str, script: &str, check: impl Fn(Found)) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("page.html");
    fs::write(&file, page.replace("</body>", &format!("<script>{{{script}}}</script></body>"))).unwrap();
    let Some(output) = open(&file, folder.path(), &["--dump-dom".to_owned()]) else { return };
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    let console = log.lines().filter(|line| line.contains("CONSOLE")).collect::<Vec<_>>().join("\n");
    check(Found { document: String::from_utf8_lossy(&output.stdout).into_owned(), console });
}

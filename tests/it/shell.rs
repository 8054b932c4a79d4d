//! `spiq completions` and `spiq man`.

use assert_cmd::cargo::cargo_bin_cmd;

fn printed(words: &[&str]) -> String {
    let output = cargo_bin_cmd!("spiq").args(words).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{words:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The commands that the help of spiq lists.
fn commands() -> Vec<String> {
    let help = printed(&["--help"]);
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names = listed.map_while(|line| line.strip_prefix("  ")?.split(' ').next());
    let names: Vec<String> = names.filter(|name| !name.is_empty()).map(str::to_owned).collect();
    assert!(names.len() > 15, "{names:?}");
    names
}

#[test]
fn scripts_of_every_shell_name_every_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = printed(&["completions", shell]);
        for command in commands() {
            assert!(script.contains(&command), "{shell}: {command}");
        }
        assert!(script.contains("max-accuracy-drop"), "{shell}: a flag of search");
    }
}

#[test]
fn the_manual_page_names_every_command() {
    let page = printed(&["man"]);
    assert!(page.starts_with(".ie") && page.contains(".TH spiq 1"), "{page}");
    for command in commands() {
        let escaped = command.replace('-', "\\-");
        assert!(page.contains(&format!("spiq\\-{escaped}(1)")), "{command}");
    }
}

#[test]
fn every_command_has_a_manual_page() {
    for command in commands().iter().filter(|command| *command != "help") {
        let page = printed(&["man", command]);
        assert!(page.contains(&format!(".TH spiq-{command} 1")), "{command}: {page}");
    }
    let output = cargo_bin_cmd!("spiq").args(["man", "simulat"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("\"simulat\": not one of simulate, compare"));
}

//! The frame of every page: head, navigation, sections, the data and the script that draws it.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;

use super::super::part_colours;

const STYLE: &str = include_str!("page.css");
const CHARTS: &str = include_str!("charts.js");

/// Nothing is fetched, whatever a name in the data looks like.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

/// A section: its name in the address, its heading, and what it holds.
pub(super) struct Section {
    pub id: &'static str,
    pub heading: &'static str,
    pub content: Markup,
}

/// A page, with `script` behind the functions that draw charts.
pub(super) fn page(title: &str, subtitle: &str, sections: &[Section], data: &Value, script: &str) -> String {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(part_colours::css())) (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#main" { "Skip to content" }
                header { h1 { (title) } p { (subtitle) } }
                nav aria-label="Sections" {
                    ul { @for section in sections { li { a href={ "#" (section.id) } { (section.heading) } } } }
                }
                main #main tabindex="-1" {
                    @for Section { id, heading, content } in sections {
                        section id=(id) aria-labelledby={ (id) "-heading" } {
                            h2 id={ (id) "-heading" } { (heading) }
                            (content)
                        }
                    }
                }
                div #tip role="status" hidden {}
                script #data type="application/json" { (PreEscaped(embedded(data))) }
                script { (PreEscaped(CHARTS)) (PreEscaped(script)) }
            }
        }
    };
    markup.into_string()
}

/// JSON that no name in it can end the element of, or start a comment.
fn embedded(data: &Value) -> String {
    let text = data.to_string();
    text.replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

/// A paragraph.
pub(super) fn paragraph(text: &str) -> Markup {
    html! { p { (text) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_cannot_leave_its_element() {
        let hostile = serde_json::json!({ "name": "</script><script>alert(1)</script><!--" });
        let text = embedded(&hostile);
        assert!(!text.contains('<'), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), hostile);
    }

    #[test]
    fn names_are_escaped_wherever_they_stand() {
        let content = html! { p title=("\"><img src=x>") { ("<b>&") } };
        let section = Section { id: "a", heading: "A", content };
        let text = page("<i>", "&", &[section], &Value::Null, "");
        assert!(text.contains("<title>&lt;i&gt;</title>"));
        assert!(text.contains("<p title=\"&quot;&gt;&lt;img src=x&gt;\">&lt;b&gt;&amp;</p>"), "{text}");
    }
}

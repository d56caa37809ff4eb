//! What all views have around them: the head, where one is, the search.

use dumpcore::{DumpId, RelPath};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::address;
use crate::page::text;

/// A view of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tab {
    /// Files and directories.
    Files,
    /// Names over all dumps.
    Search,
    /// Differences of two dumps.
    Changes,
    /// The state of the dump root.
    Status,
}

/// Where one is.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The title of the window.
    pub title: String,
    /// Which view it is.
    pub tab: Tab,
    /// The dump, of a view of one.
    pub dump: Option<DumpId>,
    /// The path in it.
    pub within: RelPath,
    /// What was searched for.
    pub words: String,
}

impl Frame {
    /// Of a view that is of no path.
    #[must_use]
    pub fn new(title: &str, tab: Tab) -> Self {
        Self {
            title: title.to_owned(),
            tab,
            dump: None,
            within: RelPath::root(),
            words: String::new(),
        }
    }

    /// Of a path in a dump.
    #[must_use]
    pub fn at(dump: DumpId, within: &RelPath) -> Self {
        let name = text::plain(text::last(within));
        let name = if name.is_empty() {
            "dump".to_owned()
        } else {
            name
        };
        Self {
            title: format!("{name} – {dump}"),
            tab: Tab::Files,
            dump: Some(dump),
            within: within.clone(),
            words: String::new(),
        }
    }

    /// The whole page. `aside`: the time line.
    #[must_use]
    pub fn page(&self, main: &Markup, aside: Option<&Markup>) -> String {
        self.begin(aside.is_some()) + &end(main, aside)
    }

    /// The page up to its content, for what is found while this is sent;
    /// [`end`] has the rest.
    #[must_use]
    pub fn begin(&self, has_aside: bool) -> String {
        let class = if has_aside {
            " class=\"with-aside\""
        } else {
            ""
        };
        let page = html! {
            (DOCTYPE)
            (PreEscaped("<html lang=\"en\">"))
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (self.title) }
                link rel="stylesheet" href="/style.css";
                link rel="icon" href="/icon.svg" type="image/svg+xml";
                script src="/page.js" defer {}
            }
            (PreEscaped("<body>"))
            a.skip href="#main" { "Skip to the content" }
            (self.header())
            (PreEscaped(format!("<div id=\"view\"{class}>")))
        };
        page.into_string()
    }

    fn header(&self) -> Markup {
        let current = |tab| (self.tab == tab).then_some("page");
        let search = address::with("/search", &[("below", self.within.as_bytes())]);
        let changes = address::with("/changes", &[("below", self.within.as_bytes())]);
        html! {
            header {
                nav aria-label="Views" {
                    a.brand href="/" { "dump" }
                    a href=(self.files()) aria-current=[current(Tab::Files)] { "Files" }
                    a href=(search) aria-current=[current(Tab::Search)] { "Search" }
                    a href=(changes) aria-current=[current(Tab::Changes)] { "Changes" }
                    a href="/status" aria-current=[current(Tab::Status)] { "Status" }
                }
                form.search action="/search" role="search" {
                    input type="search" name="q" value=(self.words) placeholder="Search all dumps"
                        aria-label="Search all dumps" aria-keyshortcuts="/" autocomplete="off";
                    @if !self.within.is_root() && str::from_utf8(self.within.as_bytes()).is_ok() {
                        input type="hidden" name="below" value=(self.within_text());
                    }
                    button { "Search" }
                }
            }
        }
    }

    fn within_text(&self) -> String {
        String::from_utf8_lossy(self.within.as_bytes()).into_owned()
    }

    fn files(&self) -> String {
        match (self.dump, self.within.is_root()) {
            (Some(dump), _) => address::at(dump, &self.within),
            (None, false) => address::newest(&self.within),
            (None, true) => "/".to_owned(),
        }
    }
}

/// What follows the beginning of a page: its content, the time line, the end.
#[must_use]
pub fn end(main: &Markup, aside: Option<&Markup>) -> String {
    let rest = html! {
        main #main tabindex="-1" { (main) }
        @if let Some(aside) = aside {
            aside #time aria-label="Time line" { (aside) }
        }
        (PreEscaped("</div>"))
        div #told .unseen role="status" aria-live="polite" {}
        (PreEscaped("</body></html>"))
    };
    rest.into_string()
}

/// The number of names that the way shows at each end: each link to one in the
/// middle has the whole path up to it in it.
const STEPS: usize = 30;

/// The way to a path, name by name; of a long one its beginning and its end.
#[must_use]
pub fn way(dump: DumpId, within: &RelPath) -> Markup {
    let bytes = within.as_bytes();
    let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    let mut ends: Vec<usize> = ends.map(|(end, _)| end).collect();
    if !within.is_root() {
        ends.push(bytes.len());
    }
    let last = ends.split_off(ends.len().saturating_sub(STEPS));
    let left_out = ends.len().saturating_sub(STEPS);
    ends.truncate(STEPS);
    html! {
        nav.way aria-label="Path" {
            ol {
                li { a href=(address::at(dump, &RelPath::root())) { (dump) } }
                (steps(dump, within, &ends))
                @if left_out > 0 { li { "… " (left_out) " more …" } }
                (steps(dump, within, &last))
            }
        }
    }
}

fn steps(dump: DumpId, within: &RelPath, ends: &[usize]) -> Markup {
    let steps = ends.iter();
    let steps = steps.map(|end| RelPath::from_bytes(&within.as_bytes()[..*end]));
    html! {
        @for step in steps {
            li {
                @if step == *within {
                    span aria-current="page" { (text::name(text::last(&step))) }
                } @else {
                    a href=(address::at(dump, &step)) { (text::name(text::last(&step))) }
                }
            }
        }
    }
}

/// Links to the pages before and after, where there are several.
#[must_use]
pub fn pages(page: usize, pages: usize, to: impl Fn(usize) -> String) -> Markup {
    html! {
        @if pages > 1 {
            nav.pages aria-label="Pages" {
                @if page > 0 {
                    a href=(to(0)) { "First" }
                    a href=(to(page - 1)) { "Previous" }
                }
                span { "Page " (page + 1) " of " (pages) }
                @if page + 1 < pages {
                    a href=(to(page + 1)) { "Next" }
                    a href=(to(pages - 1)) { "Last" }
                }
            }
        }
    }
}

//! Lines of columns for people: aligned, and on a terminal no wider than that.

use dumpcli::fit;
use dumpcli::paging::Color;

/// How a column is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Set {
    Left,
    Right,
    /// A path: it gives way where the terminal is narrow.
    Path,
}

/// Rows of as many cells as there are columns.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<Set>,
    rows: Vec<Vec<String>>,
    has_head: bool,
    /// The columns that a narrow terminal does without, the first one first.
    give_way: Vec<usize>,
}

/// Between two columns.
const GAP: &str = "  ";
/// A path, and what stands last, is not cut to less than this as long as there is
/// something else that can give way.
const NARROWEST: usize = 12;

impl Table {
    /// `head`: what stands above the columns; empty cells of nothing.
    pub(crate) fn new(columns: &[Set], head: &[&str]) -> Self {
        let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
        let has_head = !head.iter().all(String::is_empty);
        Self {
            columns: columns.to_vec(),
            rows: if has_head { vec![head] } else { Vec::new() },
            has_head,
            give_way: Vec::new(),
        }
    }

    /// Which columns a narrow terminal does without, the first one first.
    pub(crate) fn give_way(mut self, columns: Vec<usize>) -> Self {
        self.give_way = columns;
        self
    }

    /// The columns that there is room for.
    fn kept(&self, widths: &[usize], width: Option<usize>) -> Vec<usize> {
        let mut kept: Vec<usize> = (0..widths.len()).collect();
        let mut give_way = self.give_way.iter();
        let needs = |kept: &[usize]| {
            let (last, others) = kept.split_last().map_or((0, kept), |(l, o)| (*l, o));
            let others: usize = others.iter().map(|at| widths[*at] + GAP.len()).sum();
            others + widths[last].min(NARROWEST)
        };
        while width.is_some_and(|width| needs(&kept) > width) {
            let Some(less) = give_way.next() else { break };
            kept.retain(|at| at != less);
        }
        kept
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The lines, without their ends. `width`: of the terminal, when there is
    /// one.
    pub(crate) fn lines(&self, width: Option<usize>) -> impl Iterator<Item = String> {
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|at| {
                let cells = self.rows.iter().filter_map(|row| row.get(at));
                cells.map(|cell| fit::columns(cell)).max().unwrap_or(0)
            })
            .collect();
        let kept = self.kept(&widths, width);
        self.rows.iter().enumerate().map(move |(at, row)| {
            let line = self.line(row, (&kept, &widths), width);
            match at == 0 && self.has_head {
                true => Color::Auto.paint("1", &line),
                false => line,
            }
        })
    }

    fn line(
        &self,
        row: &[String],
        (kept, widths): (&[usize], &[usize]),
        width: Option<usize>,
    ) -> String {
        let mut line = String::new();
        let kept: Vec<usize> = kept.iter().copied().filter(|at| *at < row.len()).collect();
        for (nth, at) in kept.iter().copied().enumerate() {
            let (cell, behind) = (&row[at], &kept[nth + 1..]);
            let is_last = behind.is_empty();
            let others: usize = behind.iter().map(|other| widths[*other] + GAP.len()).sum();
            let room = width.map(|width| width.saturating_sub(fit::columns(&line) + others));
            let (cell, own) = match (self.columns[at], room) {
                (Set::Path, Some(room)) => {
                    let room = room.max(NARROWEST);
                    (fit::path(cell, room).into_owned(), widths[at].min(room))
                }
                _ => (cell.clone(), widths[at]),
            };
            let pad = own.saturating_sub(fit::columns(&cell));
            match self.columns[at] {
                Set::Right => line.push_str(&format!("{:pad$}{cell}", "")),
                _ if is_last => line.push_str(&cell),
                _ => line.push_str(&format!("{cell}{:pad$}", "")),
            }
            if !is_last {
                line.push_str(GAP);
            }
        }
        let line = line.trim_end();
        match width {
            Some(width) => fit::cut(line, width).into_owned(),
            None => line.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(
            &[Set::Left, Set::Right, Set::Path],
            &["NAME", "SIZE", "PATH"],
        );
        table.row(vec![
            "a".into(),
            "10 B".into(),
            "home/glenda/letters/a.tex".into(),
        ]);
        table.row(vec!["longer".into(), "7 B".into(), "b".into()]);
        table
    }

    #[test]
    fn columns_are_aligned() {
        let lines: Vec<String> = table().lines(None).collect();
        let expected = [
            "NAME    SIZE  PATH",
            "a       10 B  home/glenda/letters/a.tex",
            "longer   7 B  b",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn nothing_is_wider_than_the_terminal() {
        for width in [4, 20, 30, 35, 80] {
            for line in table().lines(Some(width)) {
                assert!(fit::columns(&line) <= width, "{width}: {line}");
            }
        }
        let lines: Vec<String> = table().lines(Some(30)).collect();
        assert_eq!(lines[1], "a       10 B  home/…/a.tex");
    }

    #[test]
    fn columns_give_way_before_the_last_one_is_cut_to_nothing() {
        let lines = |width| -> Vec<String> {
            let table = table().give_way(vec![1, 0]);
            table.lines(Some(width)).collect()
        };
        assert_eq!(lines(27)[1], "a       10 B  home/…/a.tex");
        assert_eq!(lines(25)[1], "a       home/…/a.tex");
        assert_eq!(lines(19)[1], "home/…/a.tex");
    }

    #[test]
    fn no_head_is_no_line() {
        let table = Table::new(&[Set::Left], &[""]);
        assert_eq!(table.lines(None).count(), 0);
    }
}

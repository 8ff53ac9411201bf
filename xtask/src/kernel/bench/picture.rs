//! Bars, as SVG.

use super::Row;
use std::fmt::Write;

/// What takes more instructions than this is left out, so that the short bars can be seen.
const LONGEST: f64 = 6000.0;
/// Pixels.
const LEFT: f64 = 220.0;
const WIDTH: f64 = 720.0;
const BAR: f64 = 12.0;
const STEP: f64 = 40.0;
const TOP: f64 = 44.0;

/// Two bars for each row: user mode above ring 0.
pub(crate) fn bars(rows: &[Row]) -> String {
    let rows: Vec<&Row> = rows.iter().filter(|r| r.user.median.max(r.ring0.median) <= LONGEST).collect();
    let longest = rows.iter().map(|r| r.user.median.max(r.ring0.median)).fold(1.0, f64::max);
    let height = TOP + STEP * rows.len() as f64 + 8.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"13\" role=\"img\">\n\
         <title>Instructions for one operation in user mode and in ring 0</title>\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
    );
    for (x, colour, name) in [(LEFT, USER, "user mode"), (LEFT + 130.0, RING0, "ring 0")] {
        let _ = writeln!(
            out,
            "<rect x=\"{x}\" y=\"14\" width=\"12\" height=\"12\" fill=\"{colour}\"/><text x=\"{}\" y=\"25\">{name}</text>",
            x + 18.0
        );
    }
    let _ = writeln!(out, "<text x=\"12\" y=\"25\">instructions</text>");
    for (i, row) in rows.iter().enumerate() {
        let y = TOP + STEP * i as f64;
        let _ = writeln!(out, "<text x=\"12\" y=\"{}\">{}</text>", y + 17.0, row.name);
        bar(&mut out, y, row.user.median, longest, USER);
        bar(&mut out, y + BAR + 2.0, row.ring0.median, longest, RING0);
    }
    out.push_str("</svg>\n");
    out
}

const USER: &str = "#8a8f98";
const RING0: &str = "#1f6f54";

fn bar(out: &mut String, y: f64, value: f64, longest: f64, colour: &str) {
    let width = (WIDTH - LEFT - 70.0) * value / longest;
    let _ = writeln!(
        out,
        "<rect x=\"{LEFT}\" y=\"{y}\" width=\"{width:.1}\" height=\"{BAR}\" fill=\"{colour}\"/>\
         <text x=\"{:.1}\" y=\"{}\" font-size=\"11\">{value:.0}</text>",
        LEFT + width + 6.0,
        y + BAR - 2.0
    );
}

#[cfg(test)]
mod tests {
    use super::super::Spread;
    use super::*;

    #[test]
    fn every_row_has_two_bars_inside_of_the_picture() {
        let s = |median| Spread { median, low: median, high: median };
        let rows = [
            Row { name: "a", user: s(200.0), ring0: s(100.0) },
            Row { name: "b", user: s(1e6), ring0: s(9e5) },
            Row { name: "c", user: s(5000.0), ring0: s(4900.0) },
        ];
        let svg = bars(&rows);
        assert_eq!(
            svg.matches("fill=\"#1f6f54\"").count(),
            1 + 2,
            "the legend, and two of the rows are short"
        );
        let ends = svg.split("width=\"").skip(1).filter_map(|t| t.split('"').next()?.parse::<f64>().ok());
        assert!(ends.into_iter().all(|w| w <= WIDTH), "{svg}");
    }
}

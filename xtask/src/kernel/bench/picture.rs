//! Bars, as SVG.

use std::fmt::Write;

/// Pixels.
const LEFT: f64 = 220.0;
const WIDTH: f64 = 720.0;
const BAR: f64 = 12.0;
const GAP: f64 = 14.0;
const TOP: f64 = 44.0;

/// Names and colours of the bars of a group, from above.
pub(super) type Series = &'static [(&'static str, &'static str)];

/// User mode above ring 0.
pub(super) const MODES: Series = &[("user mode", "#8a8f98"), ("ring 0", "#1f6f54")];

/// What is drawn.
pub(super) struct Chart {
    pub(super) title: &'static str,
    pub(super) unit: &'static str,
    /// Digits behind the point.
    pub(super) digits: usize,
    pub(super) series: Series,
    /// Names, and as many values as there are series, from 0 on.
    pub(super) groups: Vec<(String, Vec<f64>)>,
}

/// Groups of bars, one below the other.
pub(super) fn bars(chart: &Chart) -> String {
    let longest = chart.groups.iter().flat_map(|g| &g.1).copied().fold(0.0, f64::max).max(1e-9);
    let step = (BAR + 2.0) * chart.series.len() as f64 + GAP - 2.0;
    let height = TOP + step * chart.groups.len() as f64 + 8.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"13\" role=\"img\">\n\
         <title>{}</title>\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n",
        chart.title
    );
    let apart = (WIDTH - LEFT) / chart.series.len().max(4) as f64;
    for (i, (name, colour)) in chart.series.iter().enumerate() {
        let x = LEFT + apart * i as f64;
        let _ = writeln!(
            out,
            "<rect x=\"{x}\" y=\"14\" width=\"12\" height=\"12\" fill=\"{colour}\"/><text x=\"{}\" y=\"25\">{name}</text>",
            x + 18.0
        );
    }
    let _ = writeln!(out, "<text x=\"12\" y=\"25\">{}</text>", chart.unit);
    for (i, (name, values)) in chart.groups.iter().enumerate() {
        let y = TOP + step * i as f64;
        let middle = y + (step - GAP) / 2.0 + 4.0;
        let _ = writeln!(out, "<text x=\"12\" y=\"{middle}\">{}</text>", escaped(name));
        for (k, (value, (_, colour))) in values.iter().zip(chart.series).enumerate() {
            bar(&mut out, y + (BAR + 2.0) * k as f64, *value, longest, colour, chart.digits);
        }
    }
    out.push_str("</svg>\n");
    out
}

fn bar(out: &mut String, y: f64, value: f64, longest: f64, colour: &str, digits: usize) {
    let width = (WIDTH - LEFT - 70.0) * value.max(0.0) / longest;
    let _ = writeln!(
        out,
        "<rect x=\"{LEFT}\" y=\"{y}\" width=\"{width:.1}\" height=\"{BAR}\" fill=\"{colour}\"/>\
         <text x=\"{:.1}\" y=\"{}\" font-size=\"11\">{value:.digits$}</text>",
        LEFT + width + 6.0,
        y + BAR - 2.0
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_has_its_bars_inside_of_the_picture() {
        let svg = bars(&Chart {
            title: "t",
            unit: "u",
            digits: 1,
            series: MODES,
            groups: vec![("a < b".into(), vec![200.0, 100.0]), ("c".into(), vec![5000.0, -1.0])],
        });
        assert_eq!(svg.matches("fill=\"#1f6f54\"").count(), 1 + 2, "the legend, and two groups");
        assert!(svg.contains("a &lt; b") && svg.contains(">-1.0<"));
        let ends = svg.split("width=\"").skip(1).filter_map(|t| t.split('"').next()?.parse::<f64>().ok());
        assert!(ends.into_iter().all(|w| (0.0..=WIDTH).contains(&w)), "{svg}");
    }
}

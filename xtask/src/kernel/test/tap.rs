//! Results in the Test Anything Protocol, version 14.

/// The results so far. They are printed as they come.
pub(crate) struct Tap {
    done: usize,
    failed: usize,
}

impl Tap {
    /// Begins.
    pub(crate) fn start() -> Tap {
        println!("TAP version 14");
        Tap { done: 0, failed: 0 }
    }

    /// A result, and what to say about it if it is bad.
    pub(crate) fn report(&mut self, good: bool, name: &str, details: &str) {
        self.done += 1;
        // A hash would begin a directive.
        let name = name.replace('#', "\\#");
        println!("{}ok {} - {name}", if good { "" } else { "not " }, self.done);
        if !good {
            self.failed += 1;
            for line in details.lines() {
                println!("# {line}");
            }
        }
    }

    /// A test that was not done.
    pub(crate) fn skip(&mut self, name: &str, why: &str) {
        self.done += 1;
        println!("ok {} - {name} # SKIP {why}", self.done);
    }

    /// How many results there are.
    pub(crate) fn done(&self) -> usize {
        self.done
    }

    /// Ends with the plan. Whether everything was good; no result at all is not good.
    pub(crate) fn end(self) -> bool {
        println!("1..{}", self.done);
        println!("# {} of {} failed", self.failed, self.done);
        self.failed == 0 && self.done > 0
    }
}

/// The results in somebody else's TAP: names with whether they are good, and why they were left out if they were.
pub(crate) fn results(text: &str) -> Vec<(String, bool, Option<String>)> {
    let mut found = Vec::new();
    for line in text.lines() {
        let (good, rest) = match (line.strip_prefix("ok "), line.strip_prefix("not ok ")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => continue,
        };
        let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start();
        let rest = rest.strip_prefix("- ").unwrap_or(rest);
        let (name, directive) = rest.split_once(" # ").unwrap_or((rest, ""));
        let skipped = directive.strip_prefix("SKIP").map(|why| why.trim().to_string());
        found.push((name.trim().to_string(), good, skipped));
    }
    found
}

/// How many results a TAP stream promises.
pub(crate) fn plan(text: &str) -> Option<usize> {
    let plan = |l: &str| l.strip_prefix("1..")?.split_whitespace().next()?.parse().ok();
    text.lines().find_map(plan)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_streams_are_read() {
        let text = "TAP version 13\n1..3\nok 1 - first one\n# note\nnot ok 2 second\nok 3 - third # SKIP no such thing\n";
        let expected =
            [("first one", true, None), ("second", false, None), ("third", true, Some("no such thing"))];
        let expected = expected.map(|(n, g, s)| (n.to_string(), g, s.map(String::from)));
        assert_eq!(results(text), expected);
        assert_eq!(plan(text), Some(3));
    }
}

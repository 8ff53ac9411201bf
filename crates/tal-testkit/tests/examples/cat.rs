//! `cat`.

use crate::compare::{Input, Output, Tool};
use crate::fixture::{FILES, bytes};

#[test]
fn cat() {
    let Some(cat) = Tool::find("cat") else { return };
    for file in FILES {
        cat.same(&[file]);
    }
    cat.same(FILES);
    cat.same(&["text", "no_newline", "binary", "text"]);
    cat.same(&["-u", "text", "--", "-u", "-", "--"]);
    cat.same(&["text", "-u"]);
    cat.same(&["--"]);

    cat.same_from(&[], Input::Nothing);
    cat.same_from(&[], Input::Closed);
    cat.same_from(&["text", "-"], Input::Closed);
    for file in ["empty", "no_newline", "large", "directory"] {
        cat.same_from(&[], Input::File(file));
        cat.same_from(&["-"], Input::File(file));
        cat.same_from(&["text", "-", "newline", "-"], Input::File(file));
    }
    for (len, piece) in [(0, 1), (1, 1), (5_000, 1), (200_000, 4_097), (5_000_000, 1 << 20)] {
        cat.same_from(&[], Input::Pipe(bytes(1, len), piece));
        cat.same_from(&["empty", "-", "text"], Input::Pipe(bytes(2, len), piece));
    }
}

#[test]
fn cat_complains_like_the_original() {
    let Some(cat) = Tool::find("cat") else { return };
    cat.same(&["-y"]);
    cat.same(&["text", "-uy", "text"]);
    cat.same(&["-uuuy"]);
    cat.same(&["--zero"]);
    cat.same(&["text", "-u", "--nothing"]);
    cat.same_with(&["missing", "text", "directory", "newline", "missing"], Input::Nothing, Output::Both);
}

#[test]
fn cat_does_not_feed_on_its_output() {
    let Some(cat) = Tool::find("cat") else { return };
    let size = |name: &str| cat.dir.path().join(name).metadata().expect("it is there").len();
    let before = size("text");
    for output in [Output::Append("text"), Output::Append("link")] {
        cat.same_with(&["missing", "text", "link"], Input::Nothing, output);
        cat.same_with(&["-", "text"], Input::File("text"), output);
        cat.same_with(&["empty"], Input::File("text"), output);
    }
    assert_eq!(size("text"), before, "nothing was appended to what was read");
    // All may append what is not itself.
    cat.same_with(&["text"], Input::Nothing, Output::Append("no_newline"));
    assert_eq!(size("no_newline"), 41 + cat.runs() as u64 * before);
}

#[test]
fn cat_notices_that_nobody_reads() {
    let Some(cat) = Tool::find("cat") else { return };
    for output in [Output::Broken, Output::BrokenIgnored, Output::Full] {
        cat.same_with(&["/dev/zero"], Input::Nothing, output);
        cat.same_with(&["missing", "text", "text", "missing"], Input::Nothing, output);
        cat.same_with(&["empty"], Input::Nothing, output);
    }
}

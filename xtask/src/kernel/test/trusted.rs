//! Programs that nobody checked, in ring 0: shells from `/trusted` do there what they do in user mode.

use super::tap::Tap;
use super::{Outcome, counted, outcome};
use crate::kernel::guest::Guest;
use crate::kernel::host::{For, Host};
use crate::tools::output;
use std::path::Path;
use std::process::Command;

/// What busybox does, with the directory that it lies in as the first argument.
const BUSYBOX: &str = r#"
PATH=$1
busybox --install -s $1
echo one two | tr a-z A-Z | sed 's/TWO/three/' | cat
i=0; while [ $i -lt 30 ]; do i=$((i+1)); true | false | cat; done; echo $i
find /proc/sys/kernel/kml /etc | sort
yes | head -c 3000000 | sha256sum
seq 20000 | gzip | gunzip | md5sum
seq 5000 | sort -rn | awk '{ s += $1 } END { print s, NR }'
dd if=/dev/zero bs=4k count=500 2>/dev/null | wc -c
trap 'echo got it' USR1; kill -USR1 $$; trap - USR1
sleep 1000 & p=$!; kill $p; wait $p; echo status $?
set -m; sleep 1000 & kill -STOP %1; kill -CONT %1; kill %1; wait %1 2>/dev/null; echo status $?; set +m
timeout 1 sh -c 'while :; do :; done'; echo status $?
sh -c 'kill -SEGV $$' 2>/dev/null; echo status $?
mkdir -p /tmp/tree/a/b; for f in 1 2 3; do echo $f > /tmp/tree/a/b/$f; done
tar -C /tmp/tree -cf - a | tar -tf - | sort; cp -r /tmp/tree /tmp/tree2; find /tmp/tree2 -type f -exec cat {} + | sort
rm -rf /tmp/tree /tmp/tree2; mknod /tmp/fifo p; (echo through a pipe > /tmp/fifo &) ; cat /tmp/fifo; rm /tmp/fifo
"#;

/// What bash does.
const BASH: &str = r#"
words=(one two three); echo ${#words[@]} ${words[@]^^}
declare -A map=([a]=1 [b]=2); echo $((map[a] + map[b]))
while read -r line; do echo "<$line>"; done < <(printf '%s\n' x y z)
cat() { while IFS= read -r line; do echo "$line"; done; }
for i in {1..30}; do echo $i | cat; done | { n=0; while read -r x; do ((n += x)); done; echo $n; }
coproc { read -r x; echo "heard $x"; }; echo hello >&${COPROC[1]}; read -r answer <&${COPROC[0]}; echo $answer
trap 'echo got it' USR1; kill -USR1 $$; trap - USR1
(while :; do :; done) & p=$!; kill $p; wait $p 2>/dev/null; echo status $?
set -m; (while :; do :; done) & kill -STOP %%; kill -CONT %%; kill -TERM %%; wait %% 2>/dev/null; echo status $?; set +m
(ulimit -v 100000; x=1; for i in {1..20}; do x=$x$x$x$x; done 2>/dev/null) 2>/dev/null; echo survived
( kill -SEGV $BASHPID ) 2>/dev/null; echo status $?
cat <<< "the end"
"#;

/// Runs both, in both modes.
pub(crate) fn test(guest: &mut Guest, tap: &mut Tap) -> Result<(), String> {
    match Host::with(For::Shell)?.file("/bin/busybox") {
        Some(busybox) => shell(guest, &busybox, "busybox", "sh", BUSYBOX, tap)?,
        None => tap.skip("busybox in ring 0", "there is no static busybox here"),
    }
    let bash = Path::new("/bin/bash");
    let Some(libraries) = libraries(bash) else {
        tap.skip("bash in ring 0", "there is no bash here");
        return Ok(());
    };
    for library in libraries {
        let content = std::fs::read(&library).map_err(|e| format!("{library}: {e}"))?;
        guest.write(&library, &content).map_err(|t| t.text())?;
    }
    shell(guest, bash, "bash", "", BASH, tap)
}

/// The files that the dynamic linker would map for a program, and the linker itself.
fn libraries(program: &Path) -> Option<Vec<String>> {
    let listed = output(Command::new("ldd").arg(program)).ok()?;
    let listed = String::from_utf8(listed).ok()?;
    let paths = listed.lines().filter_map(|l| l.split_whitespace().find(|w| w.starts_with('/')));
    Some(paths.map(String::from).collect())
}

/// Runs the script with a shell that lies elsewhere and with one under `/trusted`.
fn shell(
    guest: &mut Guest,
    program: &Path,
    name: &str,
    applet: &str,
    script: &str,
    tap: &mut Tap,
) -> Result<(), String> {
    let content = std::fs::read(program).map_err(|e| format!("{}: {e}", program.display()))?;
    let mut outcomes = Vec::new();
    for directory in ["/untrusted", "/trusted/bin"] {
        let path = format!("{directory}/{name}");
        guest.write(&path, &content).map_err(|t| t.text())?;
        let words = [path.as_str(), applet, "-c", script, name, directory];
        let words: Vec<&str> = words.into_iter().filter(|w| !w.is_empty()).collect();
        let before = counted(guest).started;
        let done = match outcome(guest, false, &words, b"") {
            Ok(done) => done,
            Err(Ok(failure)) => {
                let details = format!("not executed: {}\n{}", failure.text, failure.log);
                tap.report(false, &format!("{path} runs"), &details);
                return Ok(());
            }
            Err(Err(broken)) => return Err(format!("{path}: {broken}")),
        };
        outcomes.push((done, counted(guest).started - before));
    }
    let [(user, user_started), (ring0, ring0_started)] = &outcomes[..] else { return Ok(()) };
    let details = format!("in user mode: {}\nin ring 0: {}", shown(user), shown(ring0));
    // What it says on standard error has process numbers in it.
    let same =
        user.output == ring0.output && !user.output.is_empty() && user.status == 0 && ring0.status == 0;
    tap.report(same, &format!("{name} does the same in both modes"), &details);
    let modes = *user_started == 0 && *ring0_started > 0;
    let details = format!("{user_started} programs started in ring 0, then {ring0_started}");
    tap.report(modes, &format!("{name} runs in ring 0 from /trusted only"), &details);
    Ok(())
}

fn shown(o: &Outcome) -> String {
    let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
    format!("status {}\n{}\nerrors:\n{}", o.status, text(&o.output), text(&o.error))
}

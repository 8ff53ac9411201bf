//! Expressions, one on a line; words are separated by spaces, `_` is the empty word.

use super::find;

const EXPRESSIONS: &str = "
tree
-H tree
-L tree
-P tree
-L -P tree
-H tree/kinds/directory
-P tree/kinds/directory
-L tree/kinds/directory
tree/kinds/directory/
tree/ tree//a ./tree/../tree/x
tree/a tree/a
-- tree/a
-O2 tree/x
tree/loop/itself
-L tree/loop/itself
-H tree/loop/itself
-H tree/a/dangling
tree/a/dangling tree/missing tree/a
missing
_
/dev/null tree/x
/ -maxdepth 0
// -maxdepth 0
tree/a/f/x
tree/a/f/
tree/a/f
tree -name f
tree -name F
tree -iname F.txt
tree -name *
tree -name ?
tree -name [[]a]
tree -name \\*
tree -name \\?
tree -name *.*
tree -name [!a-z]*
tree -name [^a-z]*
tree -name [[:alpha:]]
tree -iname [[:upper:]]
tree -name *[[:digit:]]*
tree -name *[[:space:]]*
tree -name [[:nonsense:]]
tree -name [
tree -name [a
tree -name []a]
tree -name [a-
tree -name [a-]
tree -name f\\
tree -name tree
tree/ -name tree
tree// -name tree
. -name . -maxdepth 1
/ -name / -maxdepth 0
tree -name x
tree -name _
tree -path tree/a*
tree -path */b/*
tree -path tree/a/f
tree -wholename tree/x/x
tree -ipath TREE/X*
tree -iwholename *F.TXT
tree -type f
tree -type d
tree -type l
tree -type p
tree -type s
tree -type b
tree -type c
tree -type f,d
tree -type l,p,s
/dev/null -type c
-L tree -type l
-L tree -type d
-L tree -type f
-H tree -type l
tree -maxdepth 0
tree -maxdepth 1
tree -maxdepth 2 -mindepth 2
tree -mindepth 1
tree -mindepth 3
tree -mindepth 100
tree -maxdepth 1000000000
tree -depth
tree -d
tree -depth -maxdepth 1
tree -depth -mindepth 2
tree -xdev
tree -mount -depth
tree -follow
tree -noleaf -nowarn -name f
tree -prune
tree -name b -prune
tree -name b -prune -o -print
tree -name b -prune -o -type f -print
tree -depth -name b -prune -o -print
tree -print
tree -print0
tree -print -print
tree -print -print0 -name f
tree -name f -print
tree -name f -print -o -name x -print0
tree -name f -o -name x
tree -name f -o -name x -print
tree ( -name f -o -name x ) -print
tree ( -name f -o -name x ) -type d
tree ! -name f
tree -not -name f
tree ! ! -name f
tree ! ( -name f -o -name x )
tree -name f -a -type f
tree -name f -and -type f
tree -name f -or -type d
tree -name f , -name x
tree -name f -print , -name x -print
tree -false , -true
tree -true , -false
tree -true
tree -false
tree -false -o -true
tree -false -print -o -print0
tree -true -o -print
tree -name f -print -false -o -type d -print
tree -type d -name a -o -type f -name f
tree ( ( ( -name f ) ) )
tree ( -name f , -name x ) -o -name c
tree -type d ! -name a -a ( -name b -o -name c )
tree -maxdepth 1 -o -name f
tree -name
tree -type
tree -type x
tree -type ff
tree -type f,
tree -type f,f
tree -type ,f
tree -type _
tree -maxdepth
tree -maxdepth x
tree -maxdepth -1
tree -maxdepth 1x
tree -maxdepth _
tree -mindepth +1
tree -foo
tree --name f
tree -name f tree
tree -a -name f
tree -name f -a
tree -name f -o
tree -name f ,
tree -o -name f
tree , -name f
tree -name f -a -o -name x
tree -print -a
tree -print -o
tree -print !
tree !
tree -not
tree ( )
tree (
tree )
tree ( -name f
tree ( ( -name f )
tree -name f )
tree -print )
tree ( ! )
tree ( -name f -a )
tree ( -name f -o )
tree ! )
tree -print -o -print (
tree -name f ( -name x
-Q
-name f tree
( -name f ) -maxdepth 2
! -name f -maxdepth 2
-type f -maxdepth 1
tree -size 0
tree -size 1
tree -size 2
tree -size +1
tree -size -1
tree -size -2
tree -size 1k
tree -size +1k
tree -size -1k
tree -size 2c
tree -size 1c
tree -size +511c
tree -size 513c
tree -size -513c
tree -size 1w
tree -size 256w
tree -size 1M
tree -size +1M
tree -size -1M
tree -size 1G
tree -size +4G
tree -size 5G
tree -size 6G
tree -size 1b
tree -size 2b
tree -size k
tree -size x
tree -size 5kk
tree -size +
tree -size +-3
tree -size 1T
tree -size _
tree -mtime 0
tree -mtime 1
tree -mtime 2
tree -mtime +0
tree -mtime +1
tree -mtime +2
tree -mtime -1
tree -mtime -2
tree -mtime -5
tree -mtime 1.5
tree -mtime -1.5
tree -mtime +0.5
tree -mtime x
tree -mtime 1.x
tree -mtime .
tree -mtime .5
tree -mtime -0
tree -mmin 30
tree -mmin 89
tree -mmin 91
tree -mmin +89
tree -mmin -91
tree -mmin 90.5
tree -mmin +0.5
tree -mmin x
tree -amin -500
tree -cmin -100
tree -ctime -1
tree -ctime +0
tree -perm 644
tree -perm 755
tree -perm 4755
tree -perm -100
tree -perm /111
tree -perm /6000
tree -perm -2000
tree -perm u=rwx
tree -perm u+rwx
tree -perm u+x
tree -perm -u+x
tree -perm /u+x
tree -perm a+r
tree -perm -a+r
tree -perm -u=r,g=u
tree -perm u=rw,g=u
tree -perm -u+s
tree -perm /u+s
tree -perm g+s
tree -perm o+t
tree -perm 0
tree -perm -0
tree -perm /0
tree -perm 000
tree -perm +x
tree -perm +111
tree -perm x
tree -perm 77777
tree -perm 07777
tree -perm 00755
tree -perm 755x
tree -perm u=X
tree -perm -g=r
tree -perm o-w
tree -perm u+
tree -perm +t
tree -perm =rwx
tree -perm u=rwx+s
tree -perm -a=,u
tree -perm ug+x
tree -perm -ug+x
tree -perm u+x+w
tree -perm u=rw,go=r
tree -perm -u+w,o+x
tree -perm a+X
tree -perm u=7
tree -perm =7
tree -perm =755
tree -perm _
tree -links 1
tree -links 2
tree -links +1
tree -links -2
tree -uid 0
tree -uid +1
tree -uid -1
tree -gid +5
tree -user root
tree -user 12345
tree -user nobody
tree -user nosuch
tree -user _
tree -group root
tree -group nosuch
tree -group 12x
tree -group _
tree -nouser
tree -nogroup
tree -inum +5
tree -empty
tree -empty -type d
tree ! -empty
tree -newer tree/sizes/513
tree -newer nosuch
tree -anewer tree/f
tree -cnewer tree/a/f
tree -samefile tree/a/f
tree -samefile tree/a/link
tree -samefile nosuch
tree -readable
tree -writable
tree -executable
tree -lname *
tree -lname no*
tree -ilname NO*
tree -lname ..
tree -xtype l
tree -xtype d
tree -xtype f
tree -xtype x
tree -quit
tree -name f -print -quit
tree -print , -name b -quit
tree -newer
tree -uid
tree -uid x
tree -size
tree -perm
tree -mtime
tree -delete -prune
-L tree -xtype l
-H tree/kinds/directory -xtype l
-L tree -xtype f
-H tree/kinds/directory -xtype f
-L tree -lname *
-H tree/kinds/directory -lname *
-L tree -samefile tree/a/link
-H tree/kinds/directory -samefile tree/a/link
-L tree -size +1
-H tree/kinds/directory -size +1
-L tree -empty
-H tree/kinds/directory -empty
-L tree -newer tree/a/link
-H tree/kinds/directory -newer tree/a/link
-L tree -perm 644
-H tree/kinds/directory -perm 644
-L tree -links 2
-H tree/kinds/directory -links 2
";

#[test]
fn expressions() {
    let Some(find) = find() else { return };
    for line in EXPRESSIONS.lines().filter(|l| !l.is_empty()) {
        let words: Vec<&str> = line.split(' ').map(|w| if w == "_" { "" } else { w }).collect();
        find.same(&words);
    }
}

/// `-delete` leaves the same behind, and says the same.
#[test]
fn delete() {
    let Some(find) = find() else { return };
    for words in
        ["-name f -delete", "-type d -delete", "-name x -delete -print", "-empty -delete", "-depth -delete"]
    {
        let mut left = Vec::new();
        let args: Vec<&str> = ["."].into_iter().chain(words.split(' ')).collect();
        for program in find.ours.iter().chain([&find.theirs]) {
            let dir = tempfile::tempdir().expect("a temporary directory can be made");
            super::plant(dir.path());
            let run = |program: &std::path::Path, args: &[&str]| {
                let mut command = std::process::Command::new(program);
                std::os::unix::process::CommandExt::arg0(&mut command, "find");
                command.args(args).env("LC_ALL", "C").current_dir(dir.path().join("tree"));
                let out = command.output().expect("a program can be started");
                let mut lines: Vec<Vec<u8>> = out.stdout.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
                lines.sort();
                (lines, String::from_utf8_lossy(&out.stderr).len(), out.status.code())
            };
            left.push((run(program, &args), run(&find.theirs, &["."])));
        }
        assert!(left.windows(2).all(|two| two[0] == two[1]), "{words}: {:?}", left[0]);
    }
}

/// Commands: their words, how they end, how many files one takes.
#[test]
fn exec() {
    let Some(find) = find() else { return };
    let (echo, sh) = ("/bin/echo", "/bin/sh");
    for words in [
        &["-exec", echo, ";"][..],
        &["-exec", echo, "x{}y", "{}", "a{}{}b", "{", "}{", "{{}}", ";"],
        &["-type", "f", "-exec", sh, "-c", "test -s \"$0\"", "{}", ";", "-print"],
        &["-exec", sh, "-c", "exit 3", ";", "-o", "-print"],
        &["-maxdepth", "1", "-exec", sh, "-c", "kill -9 $$", ";", "-o", "-print"],
        &["-maxdepth", "1", "-exec", sh, "-c", "kill -9 $$", "{}", "+"],
        &["-maxdepth", "1", "-exec", "nosuchprogram", "{}", ";"],
        &["-maxdepth", "1", "-exec", "./nosuchprogram", "{}", ";"],
        &["-maxdepth", "1", "-exec", "/etc/passwd", ";"],
        &["-maxdepth", "1", "-exec", "", ";"],
        &["-exec", echo, "{}", "+"],
        &["-exec", echo, "-n", "{}", "+", "-name", "f", "-print"],
        &["-exec", sh, "-c", "exit 1", "{}", "+"],
        &["-name", "f", "-exec", echo, "A", "{}", "+", "-o", "-name", "x", "-exec", echo, "B", "{}", "+"],
        &["-name", "f", "-exec", echo, "A", "{}", "+", "-quit"],
        &["-quit", "-exec", echo, "{}", "+"],
        &["-exec", echo, "+", ";"],
        &["-exec", echo, "{}", "+", "+", ";"],
        &["-exec", echo, "x{}", "+"],
        &["-exec"],
        &["-exec", "true"],
        &["-exec", "true", "+"],
        &["-exec", "true", "{}", "x", "+"],
        &["-exec", ";"],
        &["-exec", "true", "{}", "{}", "+"],
        &["-print", "-exec", echo, "e", "{}", ";", "-print"],
        &["-name", "a", "-prune", "-exec", echo, "{}", ";"],
    ] {
        find.same(&[&["tree"], words].concat());
    }
    // More than one command takes.
    let wide = find.dir.path().join("wide");
    std::fs::create_dir(&wide).expect("a directory can be made");
    for i in 0..2000 {
        let name = wide.join(format!("{i}{}", "x".repeat(200)));
        std::fs::write(name, "").expect("a file can be written");
    }
    for first in ["", "one", "more words"] {
        find.same(&["wide", "-exec", sh, "-c", "echo $#", first, "{}", "+"]);
    }
}

/// As many words and variables as there are: the kernel wants a 0 behind them, for which there must be room too.
#[test]
fn exec_with_any_number_of_words_and_variables() {
    let Some(find) = find() else { return };
    for words in 62..67 {
        let many = vec!["x"; words - 2];
        find.same(&[&["tree", "-maxdepth", "0", "-exec", "/bin/echo"], &many[..], &[";"]].concat());
        for program in &find.ours {
            let mut alone = std::process::Command::new(program);
            alone.args(["/", "-maxdepth", "0", "-exec", "/bin/echo", "{}", ";"]).env_clear();
            alone.envs((0..words).map(|i| (format!("V{i}"), "1")));
            let out = alone.output().expect("find can be run");
            assert_eq!(String::from_utf8_lossy(&out.stdout), "/\n", "{words} variables: {out:?}");
        }
    }
}

/// What `-printf` puts, in formats that have blanks.
#[test]
fn printf() {
    let Some(find) = find() else { return };
    let mut formats: Vec<String> = [
        "%p\\n",
        "%f|%h|%P|%H|%d|%y|%Y|%l|\\n",
        "%s %b %k %m %M %n %i %D %U %G %u %g\\n",
        "[%10s|%-10s|%5p|%-20p|%.3p|%10.2p|%4d|%-4d|%04d|%5m|%05m|%#m|%-6m|%#6m|%08m]\\n",
        "%+d %+05d % d %-+5d|\\n",
        "%c %t\\n",
        "a\\tb\\\\n\\101\\0z\\a\\b\\f\\v\\r\\60\\0601\\n",
        "x\\cy\\n",
        "%%\\n",
        "%",
        "\\",
        "\\q%q\\n",
        "%5q\\n",
        "%T",
        "",
    ]
    .map(String::from)
    .into();
    formats.extend("@YmdHMSTX+FDxyjeklIpabhwRZcs".chars().map(|k| format!("%T{k} %C{k}\\n")));
    for format in &formats {
        find.same(&["tree", "-printf", format]);
        find.same(&[
            "-L",
            "tree/",
            "./tree//",
            "/",
            "//",
            "tree/a/link",
            "-maxdepth",
            "1",
            "-name",
            "[/a-z]*",
            "-type",
            "f,l",
            "-printf",
            format,
        ]);
    }
    find.same(&["tree", "-printf"]);
    // Leap years, and what came before 1970.
    for (i, seconds) in
        [0, 951_782_399, 951_782_400, 978_220_800, 1_709_164_800, 4_107_542_399, 4_107_542_400]
            .into_iter()
            .enumerate()
    {
        let path = find.dir.path().join(format!("tree/time{i}"));
        let file = std::fs::File::create(path).expect("a file can be made");
        let time = std::time::UNIX_EPOCH + std::time::Duration::new(seconds, 123_456_789);
        file.set_modified(time).expect("times can be set");
        file.set_modified(std::time::UNIX_EPOCH - std::time::Duration::new(seconds, 5))
            .expect("times can be set");
        find.same(&["tree", "-name", "time*", "-printf", "%f %TF %TT %Tj %Ta %T@\\n"]);
        file.set_modified(time).expect("times can be set");
        find.same(&["tree", "-name", "time*", "-printf", "%f %t %Tj %Ty %Tw\\n"]);
    }
}

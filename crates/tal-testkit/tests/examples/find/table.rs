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
";

#[test]
fn expressions() {
    let Some(find) = find() else { return };
    for line in EXPRESSIONS.lines().filter(|l| !l.is_empty()) {
        let words: Vec<&str> = line.split(' ').map(|w| if w == "_" { "" } else { w }).collect();
        find.same(&words);
    }
}

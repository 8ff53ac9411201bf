/* The yardstick for examples/find: the same walk with the same system calls, in C. Of the expressions it has what is measured:
 * find [path...] with -name -path -type -size -newer -maxdepth -prune -print -print0 -printf -exec ... {} +, ! -a -o ( ). */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROOM = 65536, FIRST = 16, NAME_ROOM = 4096, SHALLOW = 16, MOST_BYTES = 131072 };

extern char **environ;

static int exit_status;
static long deepest = INT32_MAX;

/* -- Output ------------------------------------------------------------------------------------------------------- */

static char out[ROOM];
static size_t used;

static void write_all(const char *bytes, size_t count)
{
        while (count) {
                ssize_t n = write(1, bytes, count);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        exit(1);
                bytes += n;
                count -= (size_t)n;
        }
}

static void flush(void)
{
        write_all(out, used);
        used = 0;
}

static void put(const char *bytes, size_t count)
{
        if (used + count > ROOM) {
                flush();
                if (count > ROOM) {
                        write_all(bytes, count);
                        return;
                }
        }
        memcpy(out + used, bytes, count);
        used += count;
}

static void put_byte(char byte)
{
        if (used == ROOM)
                flush();
        out[used++] = byte;
}

/* How a directive of -printf is put. */
static struct {
        size_t width, precision;
        int left;
} field;

static void fill(size_t count, char byte)
{
        while (count--)
                put_byte(byte);
}

static void put_field(const char *bytes, size_t count)
{
        if (count > field.precision)
                count = field.precision;
        if (!field.left && count < field.width)
                fill(field.width - count, ' ');
        put(bytes, count);
        if (field.left && count < field.width)
                fill(field.width - count, ' ');
}

static void put_number(uint64_t number, unsigned base)
{
        char digits[24], *at = digits + sizeof digits;

        do
                *--at = (char)('0' + number % base);
        while (number /= base);
        put_field(at, (size_t)(digits + sizeof digits - at));
}

static void fail(const char *what)
{
        perror(what);
        exit(1);
}

static void *need(void *memory)
{
        if (!memory)
                fail("memory");
        return memory;
}

/* -- The file that is looked at ----------------------------------------------------------------------------------- */

enum known { UNKNOWN, KNOWN, BAD };

static struct {
        char *path;
        size_t room, length;
        size_t name;            /* where the part begins by which it is found from dir on */
        size_t base, base_end;  /* what is compared with -name */
        size_t root;            /* how long the starting point is */
        int dir;
        long depth;
        mode_t kind;            /* 0: not known */
        enum known known;
        int prune;
        struct stat status;
} file;

static void complain(int error)
{
        flush();
        fprintf(stderr, "find: '%s': %s\n", file.path, strerror(error));
        exit_status = 1;
}

/* The path is its first `length` bytes, and then others. */
static void set_path(size_t length, const char *more, size_t count)
{
        if (length + count + NAME_ROOM > file.room) {
                file.room = 2 * (length + count + NAME_ROOM);
                file.path = need(realloc(file.path, file.room));
        }
        file.name = file.base = length;
        file.length = file.base_end = length + count;
        memcpy(file.path + length, more, count);
        file.path[file.length] = 0;
}

static void find_base(void)
{
        size_t end = file.length, base;

        while (end > 1 && file.path[end - 1] == '/')
                end--;
        for (base = end; base > 0 && file.path[base - 1] != '/'; base--)
                ;
        file.base = end == 1 && file.path[0] == '/' ? 0 : base;
        file.base_end = end;
}

/* What the kernel says about it; 0 after a complaint. */
static int ask(void)
{
        if (file.known != UNKNOWN)
                return file.known == KNOWN;
        if (fstatat(file.dir, file.path + file.name, &file.status, AT_SYMLINK_NOFOLLOW) < 0) {
                file.known = BAD;
                complain(errno);
                return 0;
        }
        file.known = KNOWN;
        file.kind = file.status.st_mode & S_IFMT;
        return 1;
}

/* -- Expressions -------------------------------------------------------------------------------------------------- */

struct node {
        struct node *next;      /* behind it in a group */
        struct node *items;
        const char *text;
        enum { AND, OR, NOT, NAME, PATH, TYPE, SIZE, NEWER, PRINT, PRINT0, PRUNE, FORMAT, RUN, TRUE } kind;
        int order;              /* -1: less, 1: more */
        uint64_t value, unit;   /* of a size; of a time */
        char **words;           /* of a command */
        size_t count;
        size_t words_size;
        char *paths;            /* that wait for it */
        size_t paths_used, paths_room, bytes;
};

static int in_set(const char **pattern, unsigned char byte)
{
        const char *p = *pattern;
        int not = *p == '!' || *p == '^', found = 0;

        p += not;
        for (int first = 1; first || *p != ']'; first = 0) {
                unsigned char low, high;
                if (*p == '\\' && p[1])
                        p++;
                low = high = (unsigned char)*p++;
                if (!low)
                        return -1;
                if (*p == '-' && p[1] && p[1] != ']') {
                        p++;
                        if (*p == '\\' && p[1])
                                p++;
                        high = (unsigned char)*p++;
                }
                found |= low <= byte && byte <= high;
        }
        *pattern = p + 1;
        return found != not;
}

/* Whether bytes match a pattern of the shell, in which slashes and dots are bytes like others. */
static int match(const char *pattern, const char *text, size_t count)
{
        const char *end = text + count, *star = NULL, *from = NULL;

        for (;;) {
                const char *next = pattern;
                int same;
                if (*pattern == '*') {
                        star = ++pattern;
                        from = text;
                        continue;
                }
                if (text == end) {
                        return !*pattern;
                } else if (!*pattern) {
                        same = 0;
                } else if (*pattern == '?') {
                        next = pattern + 1;
                        same = 1;
                } else if (*pattern == '[') {
                        next = pattern + 1;
                        same = in_set(&next, (unsigned char)*text);
                        if (same < 0) {
                                next = pattern + 1;
                                same = *text == '[';
                        }
                } else {
                        if (*pattern == '\\' && !*++pattern)
                                return 0;
                        same = *text == *pattern;
                        next = pattern + 1;
                }
                if (same) {
                        pattern = next;
                        text++;
                } else if (star) {
                        pattern = star;
                        text = ++from;
                } else {
                        return 0;
                }
        }
}

static int in_order(uint64_t a, int order, uint64_t b)
{
        return order < 0 ? a < b : order > 0 ? a > b : a == b;
}

static void put_directive(char letter)
{
        const struct stat *s = &file.status;

        if (!strchr("pfhPd%y", letter) && !ask())
                return;
        switch (letter) {
        case 'p': put_field(file.path, file.length); break;
        case 'f': put_field(file.path + file.base, file.base_end - file.base); break;
        case 'h': put_field(file.base ? file.path : ".", file.base ? file.base - 1 : 1); break;
        case 'P': put_field(file.path + file.root + (file.length > file.root),
                            file.length - file.root - (file.length > file.root)); break;
        case 'd': put_number((uint64_t)file.depth, 10); break;
        case 's': put_number((uint64_t)s->st_size, 10); break;
        case 'm': put_number(s->st_mode & 07777, 8); break;
        case 'i': put_number(s->st_ino, 10); break;
        case 'n': put_number(s->st_nlink, 10); break;
        case 'U': put_number(s->st_uid, 10); break;
        case 'G': put_number(s->st_gid, 10); break;
        case 'y': put_field(&"Upc-d-b-f-l-s---"[file.kind >> 12], 1); break;
        case '%': put_byte('%'); break;
        default: put_byte('%'); put_byte(letter);
        }
}

static size_t small_number(const char **format)
{
        size_t number = 0;

        for (; **format >= '0' && **format <= '9'; ++*format)
                number = number < 1000000 ? 10 * number + (size_t)(**format - '0') : number;
        return number;
}

/* Reads what stands between a % and its letter. Returns where the letter is. */
static const char *read_flags(const char *format)
{
        field.left = 0;
        field.precision = SIZE_MAX;
        for (;; format++) {
                if (*format == '-')
                        field.left = 1;
                else if (!*format || !strchr("0+# ", *format))
                        break;
        }
        field.width = small_number(&format);
        if (*format == '.') {
                format++;
                field.precision = small_number(&format);
        }
        return format;
}

static void put_format(const char *format)
{
        for (; *format; format++) {
                if (*format == '%') {
                        format = read_flags(format + 1);
                        if (!*format)
                                return;
                        put_directive(*format);
                } else if (*format == '\\' && format[1]) {
                        format++;
                        put_byte(*format == 'n' ? '\n' : *format == 't' ? '\t' : *format == '0' ? 0 : *format);
                } else {
                        put_byte(*format);
                }
        }
}

/* Runs a command for the paths that wait for it. */
static void run(struct node *command)
{
        pid_t child;
        int ended;

        flush();
        child = fork();
        if (child < 0)
                fail("fork");
        if (!child) {
                size_t count = command->count, i = count;
                char **words;
                for (char *p = command->paths; p < command->paths + command->paths_used; p += strlen(p) + 1)
                        count++;
                words = need(malloc((count + 1) * sizeof *words));
                memcpy(words, command->words, i * sizeof *words);
                for (char *p = command->paths; i < count; p += strlen(p) + 1)
                        words[i++] = p;
                words[count] = NULL;
                execvp(words[0], words);
                fail(words[0]);
        }
        while (waitpid(child, &ended, 0) < 0 && errno == EINTR)
                ;
        if (ended)
                exit_status = 1;
        command->paths_used = 0;
        command->bytes = 0;
}

static void run_later(struct node *command)
{
        size_t count = file.length + 1;

        if (command->bytes && command->bytes + count > MOST_BYTES)
                run(command);
        if (!command->bytes)
                command->bytes = command->words_size;
        command->bytes += count;
        if (command->paths_used + count > command->paths_room) {
                command->paths_room = 2 * (command->paths_used + count);
                command->paths = need(realloc(command->paths, command->paths_room));
        }
        memcpy(command->paths + command->paths_used, file.path, count);
        command->paths_used += count;
}

static void run_rest(struct node *node)
{
        if (node->kind == RUN && node->bytes)
                run(node);
        for (struct node *item = node->items; item; item = item->next)
                run_rest(item);
}

static void print(char end)
{
        file.path[file.length] = end;
        put(file.path, file.length + 1);
        file.path[file.length] = 0;
}

static int evaluate(struct node *node)
{
        switch (node->kind) {
        case AND:
                for (struct node *item = node->items; item; item = item->next)
                        if (!evaluate(item))
                                return 0;
                return 1;
        case OR:
                for (struct node *item = node->items; item; item = item->next)
                        if (evaluate(item))
                                return 1;
                return 0;
        case NOT:
                return !evaluate(node->items);
        case NAME:
                return match(node->text, file.path + file.base, file.base_end - file.base);
        case PATH:
                return match(node->text, file.path, file.length);
        case TYPE:
                if (!file.kind && !ask())
                        return 0;
                return (node->value >> (file.kind >> 12)) & 1;
        case SIZE:
                if (!ask())
                        return 0;
                return in_order(((uint64_t)file.status.st_size + node->unit - 1) / node->unit, node->order, node->value);
        case NEWER: {
                const struct timespec *t = &file.status.st_mtim;
                if (!ask())
                        return 0;
                return (uint64_t)t->tv_sec > node->value
                        || ((uint64_t)t->tv_sec == node->value && (uint64_t)t->tv_nsec > node->unit);
        }
        case PRINT:
                print('\n');
                return 1;
        case PRINT0:
                print(0);
                return 1;
        case PRUNE:
                file.prune = 1;
                return 1;
        case FORMAT:
                put_format(node->text);
                return 1;
        case RUN:
                run_later(node);
                return 1;
        case TRUE:
                return 1;
        }
        return 0;
}

static char **word;             /* what is left of the command line */
static int acts;                /* there is something besides tests */

static struct node *parse_or(void);

static struct node *new_node(int kind, struct node *items)
{
        struct node *node = need(calloc(1, sizeof *node));

        node->kind = kind;
        node->items = items;
        return node;
}

static const char *argument(void)
{
        if (!*word)
                fail("an argument is missing");
        return *word++;
}

static void parse_size(struct node *node, const char *text)
{
        char *end;

        node->order = *text == '+' ? 1 : *text == '-' ? -1 : 0;
        node->value = strtoull(text + (node->order != 0), &end, 10);
        node->unit = *end == 'c' ? 1 : *end == 'k' ? 1024 : *end == 'M' ? 1 << 20 : 512;
}

static void parse_command(struct node *node)
{
        node->words = word;
        while (strcmp(argument(), "{}") || !*word || strcmp(*word, "+")) {
                node->words_size += strlen(word[-1]) + 1;
                node->count++;
        }
        word++;
}

static struct node *parse_primary(void)
{
        const char *w = argument();
        struct node *node;

        if (!strcmp(w, "!"))
                return new_node(NOT, parse_primary());
        if (!strcmp(w, "(")) {
                node = parse_or();
                argument();
                return node;
        }
        node = new_node(TRUE, NULL);
        if (!strcmp(w, "-maxdepth")) {
                deepest = atol(argument());
        } else if (!strcmp(w, "-name") || !strcmp(w, "-path")) {
                node->kind = w[1] == 'n' ? NAME : PATH;
                node->text = argument();
        } else if (!strcmp(w, "-type")) {
                node->kind = TYPE;
                for (w = argument(); *w; w++)
                        if (*w != ',')
                                node->value |= UINT64_C(1) << (*w == 'd' ? 4 : *w == 'l' ? 10 : *w == 'f' ? 8 : 15);
        } else if (!strcmp(w, "-size")) {
                node->kind = SIZE;
                parse_size(node, argument());
        } else if (!strcmp(w, "-newer")) {
                struct stat s;
                node->kind = NEWER;
                if (lstat(argument(), &s) < 0)
                        fail(word[-1]);
                node->value = (uint64_t)s.st_mtim.tv_sec;
                node->unit = (uint64_t)s.st_mtim.tv_nsec;
        } else if (!strcmp(w, "-prune")) {
                node->kind = PRUNE;
        } else {
                acts = 1;
                if (!strcmp(w, "-print")) {
                        node->kind = PRINT;
                } else if (!strcmp(w, "-print0")) {
                        node->kind = PRINT0;
                } else if (!strcmp(w, "-printf")) {
                        node->kind = FORMAT;
                        node->text = argument();
                } else if (!strcmp(w, "-exec")) {
                        node->kind = RUN;
                        parse_command(node);
                } else {
                        errno = EINVAL;
                        fail(w);
                }
        }
        return node;
}

static struct node *parse_and(void)
{
        struct node *group = new_node(AND, NULL), **end = &group->items;

        while (*word && strcmp(*word, "-o") && strcmp(*word, ")")) {
                if (!strcmp(*word, "-a"))
                        word++;
                *end = parse_primary();
                end = &(*end)->next;
        }
        return group->items && !group->items->next ? group->items : group;
}

static struct node *parse_or(void)
{
        struct node *group = new_node(OR, parse_and()), *last = group->items;

        while (*word && !strcmp(*word, "-o")) {
                word++;
                last = last->next = parse_and();
        }
        return last == group->items ? last : group;
}

/* -- The walk ----------------------------------------------------------------------------------------------------- */

/* A directory that we are in: what is in it has been read, and waits. */
struct level {
        struct level *outer;
        char *entries;
        size_t filled, next;
        size_t prefix;          /* how much of a path comes before the names in it */
        size_t length, name;    /* of its own path */
        long depth;
        dev_t device;           /* both are known from SHALLOW on */
        ino_t number;
};

/* Of the directories that are deeper than SHALLOW, the last ones are open. */
static struct {
        int fd;
        long depth;             /* one more than that of the directory; 0: there is none */
} slots[2 * SHALLOW];

static size_t slot_of(long depth)
{
        return (size_t)(depth < SHALLOW ? depth : SHALLOW + depth % SHALLOW);
}

static int descriptor(long depth)
{
        size_t i = slot_of(depth);

        return slots[i].depth == depth + 1 ? slots[i].fd : -1;
}

static void keep(long depth, int fd)
{
        size_t i = slot_of(depth);

        if (slots[i].depth)
                close(slots[i].fd);
        slots[i].depth = depth + 1;
        slots[i].fd = fd;
}

static void give_up(long depth)
{
        size_t i = slot_of(depth);

        if (slots[i].depth == depth + 1) {
                slots[i].depth = 0;
                close(slots[i].fd);
        }
}

/* Reads all that is in a directory. Returns 0 or an errno. */
static int read_all(int fd, struct level *level)
{
        static char scratch[ROOM];
        size_t room = FIRST;

        level->entries = need(malloc(room));
        level->filled = 0;
        for (;;) {
                long n = syscall(SYS_getdents64, fd, scratch, (size_t)ROOM);
                if (n <= 0)
                        return n < 0 ? errno : 0;
                if (level->filled + (size_t)n > room) {
                        room = 2 * level->filled + (size_t)n;
                        level->entries = need(realloc(level->entries, room));
                }
                memcpy(level->entries + level->filled, scratch, (size_t)n);
                level->filled += (size_t)n;
        }
}

/* Goes into the directory that the file is. */
static struct level *enter(struct level *outer)
{
        int fd = openat(file.dir, file.path + file.name, O_NONBLOCK | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), error;
        struct level *level;

        if (fd < 0) {
                complain(errno);
                return outer;
        }
        keep(file.depth, fd);
        if (file.depth >= SHALLOW && file.known != KNOWN && fstat(fd, &file.status) == 0)
                file.known = KNOWN;
        level = need(malloc(sizeof *level));
        error = read_all(fd, level);
        level->outer = outer;
        level->next = 0;
        level->length = file.length;
        level->name = file.name;
        level->depth = file.depth;
        level->device = file.known == KNOWN ? file.status.st_dev : 0;
        level->number = file.known == KNOWN ? file.status.st_ino : 0;
        if (error)
                complain(error);
        if (file.length == 0 || file.path[file.length - 1] != '/')
                set_path(file.length, "/", 1);
        level->prefix = file.length;
        return level;
}

/* The descriptor of the directory that the present one is in, opened again if need be. */
static int find_again(const struct level *level)
{
        struct stat status;
        int fd;

        if (!level)
                return AT_FDCWD;
        fd = descriptor(level->depth);
        if (fd >= 0)
                return fd;
        fd = openat(descriptor(level->depth + 1), "..", O_NONBLOCK | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0 || fstat(fd, &status) < 0)
                fail("..");
        if (status.st_dev != level->device || status.st_ino != level->number) {
                errno = ENOENT;
                fail("..");
        }
        keep(level->depth, fd);
        return fd;
}

static struct level *leave(struct level *level)
{
        struct level *outer = level->outer;

        file.path[level->length] = 0;
        file.length = file.base_end = level->length;
        file.name = file.base = level->name;
        file.depth = level->depth;
        file.known = UNKNOWN;
        file.kind = S_IFDIR;
        if (!file.depth)
                find_base();
        file.dir = find_again(outer);
        give_up(level->depth);
        free(level->entries);
        free(level);
        return outer;
}

static int only_dots(const char *name)
{
        return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

/* Goes on to the next file in a directory; 0 if there is none. */
static int next_file(struct level *level)
{
        while (level->next < level->filled) {
                const struct dirent64 *entry = (const void *)(level->entries + level->next);
                level->next += entry->d_reclen;
                if (only_dots(entry->d_name))
                        continue;
                set_path(level->prefix, entry->d_name, strlen(entry->d_name));
                file.kind = (mode_t)entry->d_type << 12;
                file.depth = level->depth + 1;
                file.dir = descriptor(level->depth);
                file.known = UNKNOWN;
                return 1;
        }
        return 0;
}

/* Looks at a file. Returns 1 if it is a directory whose files are looked at next. */
static int look(struct node *expression)
{
        int inside;

        file.prune = 0;
        if (!file.kind)
                ask();
        inside = file.kind == S_IFDIR && file.depth < deepest;
        evaluate(expression);
        return inside && !file.prune;
}

static void walk(const char *start, struct node *expression)
{
        struct level *level = NULL;

        set_path(0, start, strlen(start));
        find_base();
        file.root = file.length;
        file.dir = AT_FDCWD;
        file.depth = 0;
        file.kind = 0;
        file.known = UNKNOWN;
        if (!ask())
                return;
        for (;;) {
                if (look(expression))
                        level = enter(level);
                while (level && !next_file(level))
                        level = leave(level);
                if (!level)
                        return;
        }
}

int main(int argc, char **argv)
{
        struct node *expression;
        int starts = 1;

        while (starts < argc && argv[starts][0] != '-' && argv[starts][0] != '(' && argv[starts][0] != '!')
                starts++;
        word = argv + starts;
        expression = parse_or();
        if (!acts) {
                expression->next = new_node(PRINT, NULL);
                expression = new_node(AND, expression);
        }
        if (starts == 1)
                walk(".", expression);
        for (int i = 1; i < starts; i++)
                walk(argv[i], expression);
        run_rest(expression);
        flush();
        return exit_status;
}

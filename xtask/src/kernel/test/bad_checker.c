/*
 * A checker that does what no checker should, for the tests of the kernel: the last byte of the program says what. The
 * kernel must refuse the program, whatever happens. What was tried, and what came of it, is printed as the reason.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether a call failed: its error, or 0. */
#define ERROR(call) ((call) < 0 ? errno : 0)

static int list(void)
{
	int i;

	/* The list of system calls is not what is tested. */
	for (i = 0; i < 335; i++)
		printf("KML_SYSCALL(%d, call%d)\n", i, i);
	return 0;
}

static int forks(void)
{
	int i, made = 0;

	for (i = 0; i < 1000; i++) {
		int pid = fork();

		if (!pid)
			for (;;)
				pause();
		made += pid > 0;
	}
	printf("%d forks", made);
	return 1;
}

static int memory(void)
{
	const size_t piece = 1 << 20;
	size_t n = 0;
	char *p;

	while ((p = mmap(NULL, piece, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) != MAP_FAILED) {
		memset(p, 1, piece);
		n++;
	}
	printf("%s 512 MiB", n < 512 ? "less than" : "more than");
	return 1;
}

static int opens(void)
{
	int all = ERROR(open("/init", O_RDONLY)) && ERROR(open("/talcheck", O_RDONLY)) &&
		  ERROR(open("/proc/self/mem", O_RDWR)) && ERROR(open("/new", O_WRONLY | O_CREAT, 0600)) &&
		  ERROR(socket(AF_UNIX, SOCK_STREAM, 0)) && ERROR(socket(AF_INET, SOCK_STREAM, 0)) && ERROR(dup(0));

	printf(all ? "nothing could be opened" : "something could be opened");
	return 1;
}

/* Writes to the program, and to others. */
static int writes(void)
{
	void *map;
	int all = ERROR(pwrite(0, "x", 1, 0)) && ERROR(ftruncate(0, 1)) && ERROR(fchmod(0, 0777)) &&
		  ERROR(fallocate(0, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096)) && ERROR(kill(1, SIGKILL)) &&
		  ERROR(chroot("/")) && ERROR(setuid(0)) && ERROR(nice(-1));

	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, 0, 0);
	printf(all && map == MAP_FAILED ? "nothing could be changed" : "something could be changed");
	return 1;
}

int main(int argc, char **argv)
{
	struct stat program;
	char what;

	if (argc > 1 && !strcmp(argv[1], "--list-syscalls"))
		return list();
	if (fstat(0, &program) || pread(0, &what, 1, program.st_size - 1) != 1)
		return 3;
	switch (what) {
	case 'h':	/* hangs */
		for (;;)
			pause();
	case 'l':	/* loops */
		signal(SIGXCPU, SIG_IGN);
		for (;;)
			;
	case 'c':
		raise(SIGSEGV);
		return 42;
	case 'f':
		return forks();
	case 'm':
		return memory();
	case 'o':
		return opens();
	case 'r':
		return writes();
	case 'w':	/* writes without end */
		while (write(1, "words \033[2J and more words and more", 34) > 0)
			;
		return 42;
	case '0':	/* what waiting for it returns if it fails */
		printf("gate 0x401000\n");
		return 0;
	case 'g':	/* no gate, in the kernel, not aligned, none of the program's */
		return 42;
	case 'k':
		printf("gate 0xffffffff81000000\n");
		return 42;
	case 'a':
		printf("gate 0x401001\n");
		return 42;
	case 'n':
		printf("gate 0x10000\n");
		return 42;
	}
	printf("unknown");
	return 1;
}

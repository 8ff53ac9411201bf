/* The yardstick for examples/echod: the same server with the same system calls, in C. TCP over IPv4 on 127.0.0.1 only,
 * on a free port that it prints as echod does. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOM = 65536, EVENTS = 256, FAIR = 64, RETRY = 100 };

/* What a client has sent and not yet got back. */
struct backlog {
        size_t from, to;
        char bytes[ROOM];
};

static struct backlog **connections;    /* by descriptor */
static size_t room;
static char received[ROOM];
static int watched, listener, signals, resting;

static int control(int what, int fd, uint32_t flags)
{
        struct epoll_event event = { .events = flags, .data.u32 = (uint32_t)fd };
        return epoll_ctl(watched, what, fd, &event);
}

static void accept_again(void)
{
        if (!resting)
                return;
        control(EPOLL_CTL_MOD, listener, EPOLLIN);
        resting = 0;
}

static void end(int fd)
{
        close(fd);
        accept_again();
}

static void add_connection(int fd)
{
        while ((size_t)fd >= room) {
                size_t more = room ? 2 * room : EVENTS;
                struct backlog **grown = realloc(connections, more * sizeof *grown);
                if (!grown) {
                        close(fd);
                        return;
                }
                memset(grown + room, 0, (more - room) * sizeof *grown);
                connections = grown;
                room = more;
        }
        if (control(EPOLL_CTL_ADD, fd, EPOLLIN) < 0)
                close(fd);
}

static void accept_some(void)
{
        for (int i = 0; i < FAIR; i++) {
                int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
                if (fd >= 0) {
                        add_connection(fd);
                        continue;
                }
                if (errno == EAGAIN)
                        return;
                if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
                        control(EPOLL_CTL_MOD, listener, 0);
                        resting = 1;
                        return;
                }
        }
}

static ssize_t receive(int fd)
{
        ssize_t n;
        do
                n = recv(fd, received, ROOM, 0);
        while (n < 0 && errno == EINTR);
        return n;
}

static ssize_t transmit(int fd, const char *bytes, size_t count)
{
        ssize_t n;
        do
                n = send(fd, bytes, count, MSG_NOSIGNAL);
        while (n < 0 && errno == EINTR);
        return n;
}

static void send_waiting(int fd, struct backlog *waiting)
{
        ssize_t n = transmit(fd, waiting->bytes + waiting->from, waiting->to - waiting->from);
        if (n < 0 && errno == EAGAIN)
                return;
        if (n >= 0) {
                waiting->from += (size_t)n;
                if (waiting->from < waiting->to)
                        return;
        }
        free(waiting);
        connections[fd] = NULL;
        if (n < 0 || control(EPOLL_CTL_MOD, fd, EPOLLIN) < 0)
                end(fd);
}

static void take_turn(int fd)
{
        if ((size_t)fd >= room)
                return;
        if (connections[fd]) {
                send_waiting(fd, connections[fd]);
                return;
        }
        ssize_t count = receive(fd);
        if (count <= 0) {
                if (count == 0 || errno != EAGAIN)
                        end(fd);
                return;
        }
        ssize_t sent = transmit(fd, received, (size_t)count);
        if (sent == count)
                return;
        if (sent < 0) {
                if (errno != EAGAIN) {
                        end(fd);
                        return;
                }
                sent = 0;
        }
        struct backlog *waiting = malloc(sizeof *waiting);
        if (!waiting) {
                end(fd);
                return;
        }
        waiting->from = 0;
        waiting->to = (size_t)(count - sent);
        memcpy(waiting->bytes, received + sent, waiting->to);
        connections[fd] = waiting;
        if (control(EPOLL_CTL_MOD, fd, EPOLLOUT) < 0)
                end(fd);
}

static void fail(const char *what)
{
        perror(what);
        exit(1);
}

static void prepare(void)
{
        sigset_t set;
        int one = 1;
        struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof name;

        sigemptyset(&set);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGTERM);
        signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
        sigaddset(&set, SIGPIPE);
        sigprocmask(SIG_BLOCK, &set, NULL);
        watched = epoll_create1(EPOLL_CLOEXEC);
        listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (signals < 0 || watched < 0 || listener < 0)
                fail("descriptors");
        setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        if (bind(listener, (struct sockaddr *)&name, sizeof name) < 0 || listen(listener, 4096) < 0)
                fail("listen");
        if (getsockname(listener, (struct sockaddr *)&name, &size) < 0)
                fail("getsockname");
        control(EPOLL_CTL_ADD, signals, EPOLLIN);
        control(EPOLL_CTL_ADD, listener, EPOLLIN);
        printf("listening on 127.0.0.1 port %u\n", ntohs(name.sin_port));
        fflush(stdout);
}

int main(void)
{
        static struct epoll_event events[EVENTS];

        prepare();
        for (;;) {
                int count = epoll_wait(watched, events, EVENTS, resting ? RETRY : -1);
                if (count < 0 && errno != EINTR)
                        fail("epoll_wait");
                if (count == 0)
                        accept_again();
                for (int i = 0; i < count; i++) {
                        int fd = (int)events[i].data.u32;
                        if (fd == signals)
                                return 0;
                        if (fd == listener)
                                accept_some();
                        else
                                take_turn(fd);
                }
        }
}

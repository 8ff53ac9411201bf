/* The steps of examples/alloc with malloc of the C library: what `cargo xtask bench malloc` compares with. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SLOTS = 1 << 16, STEPS = 1 << 20, SIZE = 65536, LEAST = 16 };

/* A block begins with its size. */
static size_t *slots[SLOTS];
static struct { uint32_t kind, slot; uint64_t size; } steps[STEPS];
static unsigned char input[SIZE];
static size_t used, size;

static int get_byte(void)
{
    if (used == size) {
        ssize_t r = read(0, input, SIZE);
        if (r <= 0)
            return -1;
        size = r;
        used = 0;
    }
    return input[used++];
}

static uint64_t get_number(int *end)
{
    int c;
    uint64_t n = 0;
    do
        c = get_byte();
    while (c == ' ');
    for (; c >= '0' && c <= '9'; c = get_byte())
        n = 10 * n + (c - '0');
    *end = c;
    return n;
}

int main(int argc, char **argv)
{
    size_t count = 0;
    int kind, end;
    while ((kind = get_byte()) >= 0 && count < STEPS) {
        steps[count].kind = kind;
        steps[count].slot = get_number(&end) % SLOTS;
        steps[count].size = kind == 'f' ? 0 : get_number(&end);
        count++;
    }
    long times = argc > 1 ? atol(argv[1]) : 1;
    while (times-- > 0) {
        for (size_t i = 0; i < count; i++) {
            size_t **slot = &slots[steps[i].slot], *block = NULL;
            size_t n = steps[i].size < LEAST ? LEAST : steps[i].size;
            if (steps[i].kind == 'r' && *slot) {
                block = realloc(*slot, n);
            } else {
                free(*slot);
                *slot = NULL;
                if (steps[i].kind != 'f')
                    block = malloc(n);
            }
            if (block) {
                *block = n;
                *slot = block;
            }
        }
        for (size_t i = 0; i < SLOTS; i++) {
            free(slots[i]);
            slots[i] = NULL;
        }
    }
    return 0;
}

/*
 * The table of readers, as LMDB 0.9 lays it out: records of one cache line, {transaction, process,
 * thread}, behind a head of several lines in which no process is named while nobody writes.
 */
#include "support/reader_slots.h"

#include "support/test.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_BYTES ((size_t)64)

struct reader {
    uint64_t txn;
    int32_t process;
    uint64_t thread;
};

LH_PUBLIC const char *__lsan_default_suppressions(void);

/* A transaction whose slot is gone is left behind: ending it would free the slot of another. */
const char *__lsan_default_suppressions(void)
{
    return "leak:mdb_txn_begin\n";
}

size_t reader_slots_take_away(const char *directory)
{
    char path[300];
    struct stat file;
    (void)snprintf(path, sizeof(path), "%s/lock.mdb", directory);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &file), 0);
    size_t len = (size_t)file.st_size;
    uint8_t *table = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(table != MAP_FAILED);
    size_t taken = 0;
    for (size_t at = LINE_BYTES; at + LINE_BYTES <= len; at += LINE_BYTES) {
        struct reader *reader = (struct reader *)(void *)(table + at);
        if (reader->process == getpid()) {
            reader->process = 0;
            taken++;
        }
    }
    assert_int_equal(munmap(table, len), 0);
    (void)close(fd);
    return taken;
}

/*
 * Runs a fuzz target over files and directories of seeds, without libFuzzer: so that every
 * ordinary test run, with any compiler, replays what was found once. Each seed is fed whole and
 * cut at every length, each time from memory of exactly that size.
 */
#include "fuzz.h"

#include <dirent.h>
#include <sys/stat.h>

/* Seeds are small by design; a larger file is a mistake. */
#define SEED_MAX_BYTES ((size_t)256 * 1024)
/* Longer seeds are cut at this many lengths only, so that the replay stays a matter of seconds. */
#define CUTS_MAX   ((size_t)4096)
#define PATH_BYTES 4096

static void feed(const uint8_t *bytes, size_t len)
{
    uint8_t *exact = fuzz_room(len);
    if (len > 0) {
        memcpy(exact, bytes, len);
    }
    FUZZ_CHECK(LLVMFuzzerTestOneInput(exact, len) == 0);
    free(exact);
}

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    uint8_t *bytes = fuzz_room(SEED_MAX_BYTES + 1);
    size_t len = fread(bytes, 1, SEED_MAX_BYTES + 1, file);
    int is_bad = ferror(file) != 0 || len > SEED_MAX_BYTES;
    (void)fclose(file);
    if (is_bad) {
        fprintf(stderr, "%s: unreadable or larger than %zu bytes\n", path, SEED_MAX_BYTES);
    } else {
        size_t step = len / CUTS_MAX + 1;
        for (size_t cut = 0; cut < len; cut += step) {
            feed(bytes, cut);
        }
        feed(bytes, len);
    }
    free(bytes);
    return is_bad;
}

/* Replays the seeds of a directory; an empty one is a mistake too. */
static int replay_directory(const char *path)
{
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, NULL, alphasort);
    int failures = 0;
    int seeds = 0;
    for (int i = 0; i < count; i++) {
        char seed[PATH_BYTES];
        if (entries[i]->d_name[0] != '.') {
            (void)snprintf(seed, sizeof(seed), "%s/%s", path, entries[i]->d_name);
            failures += replay_file(seed);
            seeds++;
        }
        free(entries[i]);
    }
    free(entries);
    printf("%s: %d seeds\n", path, seeds);
    return seeds > 0 ? failures : 1;
}

int main(int argc, char **argv)
{
    int failures = argc > 1 ? 0 : 1;
    for (int i = 1; i < argc; i++) {
        struct stat status;
        bool is_directory = stat(argv[i], &status) == 0 && S_ISDIR(status.st_mode);
        failures += is_directory ? replay_directory(argv[i]) : replay_file(argv[i]);
    }
    return failures == 0 ? 0 : 1;
}

/* replay.c - runs a fuzzer over the files of its corpus, for builds without libFuzzer. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void replay_file(const char *path)
{
    static uint8_t bytes[4 << 20];
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        exit(1);
    }
    size_t len = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    /* its own block, so that AddressSanitizer sees a read past the end */
    uint8_t *copy = malloc(len ? len : 1);
    if (!copy)
        exit(1);
    memcpy(copy, bytes, len);
    LLVMFuzzerTestOneInput(copy, len);
    free(copy);
}

int main(int argc, char **argv)
{
    unsigned count = 0;
    if (argc != 2) {
        fprintf(stderr, "usage: %s CORPUS_FOLDER\n", argv[0]);
        return 2;
    }
    DIR *folder = opendir(argv[1]);
    if (!folder) {
        perror(argv[1]);
        return 1;
    }
    for (struct dirent *e = readdir(folder); e; e = readdir(folder)) {
        char path[4096];
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", argv[1], e->d_name);
        replay_file(path);
        count++;
    }
    closedir(folder);
    printf("%u inputs replayed\n", count);
    return count ? 0 : 1;
}

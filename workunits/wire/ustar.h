/* ustar.h - one 512-byte header of a ustar archive (POSIX.1-1988, "Extended tar format"). For bundle_*.c. */
#ifndef WIRE_USTAR_H
#define WIRE_USTAR_H

#include <stdbool.h>
#include <stdint.h>

#define USTAR_BLOCK  512u
#define USTAR_FILE   '0'
#define USTAR_FOLDER '5'

struct ustar_header {
    char name[100];
    char mode[8], uid[8], gid[8];
    char size[12], mtime[12];
    char checksum[8];
    char type;
    char link[100];
    char magic[6], version[2];
    char owner[32], group[32];
    char device_major[8], device_minor[8];
    char prefix[155];
    char unused[12];
};
_Static_assert(sizeof(struct ustar_header) == USTAR_BLOCK, "a header is one block");

/* The sum of the header's bytes with the checksum field read as blanks. */
unsigned ustar_checksum(const struct ustar_header *h);
/* Puts a path into name and, where it is long, prefix: always in the same way. false when it does not fit. */
bool ustar_split(const char *path, struct ustar_header *h);

#endif

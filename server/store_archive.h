/* store_archive.h - the rows of units that leave for an archive, and of the archive itself. Reading of the
 * latter is in store.h. */
#ifndef SERVER_STORE_ARCHIVE_H
#define SERVER_STORE_ARCHIVE_H

#include "server/store_set.h"

void store_set_archive(struct store_set *set, const struct store_archive *archive);
/* The unit, and the entry of its batch's own stream whose place is that of the unit in the batch. */
void store_set_unit_end(struct store_set *set, wu_id id);
void store_set_note_end(struct store_set *set, wu_id unit, uint32_t attempt);

#endif

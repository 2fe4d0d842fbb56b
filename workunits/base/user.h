/* user.h - which user of this machine a program works as */
#ifndef BASE_USER_H
#define BASE_USER_H

#include <stddef.h>

#include "base/err.h"

/* Root who works on a folder of somebody else becomes that user, for good: what a command writes there is
 * then the service's own, and nothing of the folder is read with more rights than its owner has. A folder
 * that is missing or root's, or a caller who is not root: nothing changes. Before any thread is started. */
enum err user_become_owner(const char *folder) NODISCARD;
/* "dugnad-client", or the number of a user without a name. */
void user_name(char *ret, size_t room);

#endif

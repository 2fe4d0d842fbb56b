/* judge_numeric.h - are two answers the same numbers? Pure. */
#ifndef SERVER_JUDGE_NUMERIC_H
#define SERVER_JUDGE_NUMERIC_H

#include <stdbool.h>
#include <stddef.h>

/* Compares word by word; blanks, line ends and , ; : = ( ) [ ] { } separate words and must be the same but
 * for how many blanks. Two words are the same if they are the same bytes, or both are numbers x, y with |x -
 * y| <= abs + rel * max(|x|, |y|). NaN is the same as NaN only, an infinity as itself. */
bool judge_numeric_same(const char *a, size_t a_len, const char *b, size_t b_len, double abs, double rel);

#endif

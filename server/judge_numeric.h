/* judge_numeric.h - are two texts the same but for small differences of their numbers? Pure. */
#ifndef SERVER_JUDGE_NUMERIC_H
#define SERVER_JUDGE_NUMERIC_H

#include <stdbool.h>
#include <stddef.h>

/* Compares word by word. Blanks and line ends separate words, however many there are; each of the marks
 * , ; : = ( ) [ ] { } " is a word of its own. Two words are the same if they are the same bytes, or both are
 * decimal numbers x, y with |x - y| <= abs + rel * max(|x|, |y|). NaN is the same as NaN only, an infinity as
 * itself; a number too large for a double is only its own text.
 * Bytes that are not text (control characters but blanks, not UTF-8) must be the same bytes: where either
 * side is no text there are no words. abs and rel are not negative. */
bool judge_numeric_same(const char *a, size_t a_len, const char *b, size_t b_len, double abs, double rel);

#endif

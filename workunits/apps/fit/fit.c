/* fit.c - least squares over a table with numbers: the last column by the others and a constant, without the
 * table in memory.
 *
 *     fit TABLE.csv        a header, then rows of numbers
 *
 * Each row is rotated into a triangle with Givens' rotations (Golub and Van Loan, Matrix Computations, 4th
 * ed., section 5.2.5), which is as good as a QR decomposition of the whole table and needs memory for one
 * row. Writes a line NAME VALUE for each coefficient, then the rows and the sum of the squared residuals. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS_MAX = 64, LINE_MAX_BYTES = 1 << 16 };

struct fit {
    int columns; /* of the table; the triangle has one more, for the constant */
    char names[COLUMNS_MAX][64];
    double r[COLUMNS_MAX + 1][COLUMNS_MAX + 1]; /* the last column is what is fitted */
    double squares;
    long rows;
};

static int fail(const char *what, long line)
{
    fprintf(stderr, "fit: line %ld: %s\n", line, what);
    return 1;
}

static int read_names(struct fit *f, char *line)
{
    char *rest = line;
    for (char *name; (name = strsep(&rest, ",\r\n")) != NULL && *name; f->columns++) {
        if (f->columns == COLUMNS_MAX)
            return fail("more than 64 columns", 1);
        snprintf(f->names[f->columns], sizeof f->names[0], "%s", name);
    }
    return f->columns < 2 ? fail("a header with two columns at least is wanted", 1) : 0;
}

static void take(struct fit *f, double *row)
{
    int n = f->columns; /* unknowns: the constant and all columns but the last */
    for (int i = 0; i < n; i++) {
        double h = hypot(f->r[i][i], row[i]);
        if (row[i] == 0)
            continue;
        double c = f->r[i][i] / h, s = row[i] / h;
        for (int k = i; k <= n; k++) {
            double above = f->r[i][k];
            f->r[i][k] = c * above + s * row[k];
            row[k] = c * row[k] - s * above;
        }
    }
    f->squares += row[n] * row[n];
    f->rows++;
}

static int read_rows(struct fit *f, FILE *in)
{
    static char line[LINE_MAX_BYTES];
    double row[COLUMNS_MAX + 1];
    for (long number = 2; fgets(line, sizeof line, in); number++) {
        char *at = line;
        row[0] = 1;
        for (int i = 0; i < f->columns; i++) {
            char *end;
            row[i + 1] = strtod(at, &end);
            if (end == at || !isfinite(row[i + 1]) || (*end != ',' && i + 1 < f->columns))
                return fail("a number in each column is wanted", number);
            at = end + 1;
        }
        take(f, row);
    }
    return ferror(in) ? fail("cannot be read", f->rows + 2) : 0;
}

static int print(const struct fit *f)
{
    double x[COLUMNS_MAX];
    int n = f->columns;
    for (int i = n - 1; i >= 0; i--) {
        x[i] = f->r[i][n];
        for (int k = i + 1; k < n; k++)
            x[i] -= f->r[i][k] * x[k];
        if (fabs(f->r[i][i]) < 1e-12)
            return fail("the columns depend on each other: no fit is the best one", f->rows + 1);
        x[i] /= f->r[i][i];
    }
    for (int i = 0; i < n; i++)
        printf("%s %.15g\n", i ? f->names[i - 1] : "constant", x[i]);
    printf("rows %ld\nsquares %.15g\n", f->rows, f->squares);
    return fflush(stdout) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    static struct fit f;
    static char line[LINE_MAX_BYTES];
    FILE *in = argc == 2 ? fopen(argv[1], "r") : NULL;
    if (!in) {
        fprintf(stderr, "usage: fit TABLE.csv, which must be there\n");
        return 2;
    }
    if (!fgets(line, sizeof line, in))
        return fail("the table is empty", 1);
    return read_names(&f, line) || read_rows(&f, in) || print(&f);
}

/* A driver for an AdamW in a few lines of C (docs/protocol.md), in float32 and float64.

       cc -O2 -ffp-contract=off -o adamw adamw.c -lm && adamcore check cmd:./adamw               */

#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The implementation under test: one step of n elements; t is the clock, 1 in the first step. */
#define ADAMW(name, real, root)                                                                     \
    static void name(real *p, real *m, real *v, const real *g, size_t n, long t, double lr,         \
                     double b1, double b2, double eps, double weight_decay) {                       \
        const real step = (real)(lr / (1 - pow(b1, t))), scale = (real)sqrt(1 - pow(b2, t));        \
        for (size_t i = 0; i < n; i++) {                                                            \
            p[i] *= (real)(1 - lr * weight_decay);                                                  \
            m[i] += (real)(1 - b1) * (g[i] - m[i]);                                                 \
            v[i] = (real)b2 * v[i] + (real)(1 - b2) * g[i] * g[i];                                  \
            p[i] -= step * (m[i] / (root(v[i]) / scale + (real)eps));                               \
        }                                                                                           \
    }
ADAMW(adamw_float, float, sqrtf)
ADAMW(adamw_double, double, sqrt)

/* One parameter: the text of its shape, and its memory, of float or double. */
typedef struct {
    char shape[256];
    int wide;
    size_t size;
    long t;
    void *p, *m, *v;
} parameter;

enum { MOST = 64 };
static parameter params[MOST];
static int count;

/* Return the text after "key": in an object, or NULL if the object has no such key. */
static const char *find(const char *object, const char *key) {
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\"", key);
    const char *at = strstr(object, quoted);
    return at ? at + strlen(quoted) + strspn(at + strlen(quoted), " :") : NULL;
}

static double number(const char *object, const char *key) {
    const char *at = find(object, key);
    return at ? strtod(at, NULL) : 0.0;
}

/* Read the numbers of an array {"dtype", "shape", "bits"}: one hexadecimal word for each. */
static void *read_bits(const char *array, size_t size, int wide) {
    void *data = calloc(size + 1, wide ? 8 : 4);
    char *at = (char *)find(array, "bits") + 1;
    for (size_t i = 0; i < size; i++) {
        const uint64_t bits = strtoull(at, &at, 16);
        const uint32_t low = (uint32_t)bits;
        memcpy((char *)data + i * (wide ? 8 : 4), wide ? (const void *)&bits : &low, wide ? 8 : 4);
    }
    return data;
}

static void print_bits(const parameter *x) {
    printf("{\"dtype\": \"%s\", \"shape\": %s, \"bits\": \"", x->wide ? "float64" : "float32", x->shape);
    for (size_t i = 0; i < x->size; i++) {
        uint64_t bits = 0;
        uint32_t low = 0;
        if (x->wide) memcpy(&bits, (double *)x->p + i, 8), printf("%s%016llx", i ? " " : "", (unsigned long long)bits);
        else memcpy(&low, (float *)x->p + i, 4), printf("%s%08lx", i ? " " : "", (unsigned long)low);
    }
    printf("\"}");
}

/* Copy the next element of a list, an array or null; return 0 at the end. */
static int next(const char **at, char **element) {
    *at += strspn(*at, "[, ");
    if (**at == ']') return 0;
    const size_t length = **at == '{' ? strcspn(*at, "}") + 1 : 4;
    *element = strndup(*at, length);
    *at += length;
    return 1;
}

static const char *init(const char *message) {
    for (; count; count--) free(params[count - 1].p), free(params[count - 1].m), free(params[count - 1].v);
    const char *at = find(message, "params");
    for (char *array; next(&at, &array); free(array)) {
        parameter *x = &params[count];
        const char *shape = find(array, "shape");
        const size_t length = strcspn(shape, "]") + 1;
        if (count == MOST || length >= sizeof x->shape) return "more than this driver has room for";
        memset(x, 0, sizeof *x);
        memcpy(x->shape, shape, length);
        x->size = 1;
        for (char *n = x->shape + 1; *n != ']'; n += strspn(n, ", ")) x->size *= strtoull(n, &n, 10);
        x->wide = strstr(array, "float64") != NULL;
        x->p = read_bits(array, x->size, x->wide);
        x->m = calloc(x->size + 1, 8), x->v = calloc(x->size + 1, 8);
        count++;
    }
    return NULL;
}

static void step(const char *message, const char *hyper) {
    const double lr = number(message, "lr"), b1 = number(hyper, "b1"), b2 = number(hyper, "b2");
    const double eps = number(hyper, "eps"), decay = number(hyper, "weight_decay");
    const char *at = find(message, "grads");
    char *array;
    for (int i = 0; i < count && next(&at, &array); i++, free(array)) {
        parameter *x = &params[i];
        if (*array == 'n') continue; /* null: absent, so nothing of this parameter changes */
        void *g = read_bits(array, x->size, x->wide);
        x->t++;
        if (x->wide) adamw_double(x->p, x->m, x->v, g, x->size, x->t, lr, b1, b2, eps, decay);
        else adamw_float(x->p, x->m, x->v, g, x->size, x->t, lr, b1, b2, eps, decay);
        free(g);
    }
}

int main(void) {
    char *line = NULL, *hyper = strdup("");
    size_t room = 0;
    while (getline(&line, &room, stdin) > 0) {
        const char *cmd = find(line, "cmd") + 1;
        if (!strncmp(cmd, "stop", 4)) break;
        printf("{\"seq\": %ld, ", strtol(find(line, "seq"), NULL, 10));
        if (!strncmp(cmd, "start", 5)) {
            printf("\"protocol\": 1, \"dialect\": \"torch.AdamW\", \"dtypes\": [\"float32\", \"float64\"], "
                   "\"hyper\": [\"lr\", \"b1\", \"b2\", \"eps\", \"weight_decay\"], \"can\": [\"set_lr\"]}\n");
        } else if (!strncmp(cmd, "init", 4)) {
            const char *error = init(line);
            free(hyper), hyper = strdup(find(line, "hyper"));
            printf(error ? "\"error\": \"%s\"}\n" : "\"ok\": true}\n", error);
        } else if (!strncmp(cmd, "step", 4)) {
            step(line, hyper);
            printf("\"params\": [");
            for (int i = 0; i < count; i++) printf(i ? ", " : ""), print_bits(&params[i]);
            printf("]}\n");
        } else {
            printf("\"skip\": \"it has no such message\"}\n");
        }
        fflush(stdout);
    }
    free(line), free(hyper);
    return 0;
}

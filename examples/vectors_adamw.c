/* An AdamW in a few lines of C, compared with the vectors of torch.AdamW.

       adamcore vectors --for C --dialect torch.AdamW > adam_vectors.h
       cc -std=c99 -O2 -ffp-contract=off -o vectors_adamw vectors_adamw.c -lm && ./vectors_adamw     */

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "adam_vectors.h"

/* The implementation under test: one step of n elements; t is the clock, 1 in the first step. */
static void adamw(float *p, float *m, float *v, const float *g, int n, long t,
                  double lr, double b1, double b2, double eps, double weight_decay) {
    const float w1 = (float)(1 - b1), w2 = (float)(1 - b2);
    const float step = (float)(lr / -expm1(t * log(b1))), root = (float)sqrt(-expm1(t * log(b2)));
    for (int i = 0; i < n; i++) {
        m[i] = (float)b1 * m[i] + w1 * g[i];
        v[i] = (float)b2 * v[i] + w2 * g[i] * g[i];
        p[i] = p[i] - (float)(lr * weight_decay) * p[i] - step * (m[i] / (sqrtf(v[i]) / root + (float)eps));
    }
}

static int wrong(const adam_case *c, const char *what, const float *got, const float *want,
                 const double *bound, int s, const float *before) {
    for (int i = 0; i < c->size; i++) {
        const int k = s * c->size + i;
        const int still = !c->present[s] && memcmp(&got[i], &before[i], sizeof *got) != 0;
        if (still || !(fabs((double)got[i] - want[k]) <= bound[k])) {
            printf("%s: %s[%d] after step %d is %a, expected %a within %g (%s)\n", c->id, what, i, s + 1,
                   got[i], want[k], bound[k], still ? "absent gradient: bit for bit" : c->flags);
            return 1;
        }
    }
    return 0;
}

int main(void) {
    enum { MOST = 64 };
    float p[MOST], m[MOST], v[MOST], p1[MOST], m1[MOST], v1[MOST];
    int failed = 0;
    for (int k = 0; k < adam_case_count; k++) {
        const adam_case *c = &adam_cases[k];
        const size_t bytes = c->size * sizeof *p;
        memcpy(p, c->p0, bytes), memcpy(m, c->m0, bytes), memcpy(v, c->v0, bytes);
        int bad = 0;
        for (int s = 0; s < c->steps && !bad; s++) {
            memcpy(p1, p, bytes), memcpy(m1, m, bytes), memcpy(v1, v, bytes);
            if (c->present[s])
                adamw(p, m, v, c->g + s * c->size, c->size, c->t[s], c->lr[s], c->b1, c->b2, c->eps,
                      c->weight_decay);
            bad = wrong(c, "m", m, c->m, c->m_bound, s, m1) || wrong(c, "v", v, c->v, c->v_bound, s, v1) ||
                  wrong(c, "p", p, c->p, c->p_bound, s, p1);
        }
        failed += bad;
    }
    printf("%d of %d cases within their bounds\n", adam_case_count - failed, adam_case_count);
    return failed != 0;
}

# An AdamW in a few lines of Mojo, compared with the vectors of torch.AdamW.
#
#     adamcore vectors --for mojo --dialect torch.AdamW > adam_vectors.mojo
#     mojo vectors_adamw.mojo

from std.math import expm1, log, sqrt

from adam_vectors import Case, cases


# The implementation under test: one step of the elements from `at` on; t is the clock, 1 in the first step.
def adamw(
    mut p: List[Float32], mut m: List[Float32], mut v: List[Float32], c: Case, s: Int
):
    var t = Float64(c.t[s])
    var lr = c.lr[s]
    var w1 = Float32(1.0 - c.b1)
    var w2 = Float32(1.0 - c.b2)
    var decay = Float32(lr * c.weight_decay)
    var step = Float32(lr / -expm1(t * log(c.b1)))
    var root = Float32(sqrt(-expm1(t * log(c.b2))))
    for i in range(c.size):
        var g = c.g[s * c.size + i]
        m[i] = Float32(c.b1) * m[i] + w1 * g
        v[i] = Float32(c.b2) * v[i] + w2 * g * g
        p[i] = p[i] - decay * p[i] - step * (m[i] / (sqrt(v[i]) / root + Float32(c.eps)))


# Compares what a step made of an array with the exact answer; an absent gradient changes no bit.
def is_right(
    c: Case,
    s: Int,
    got: List[Float32],
    want: List[Float32],
    bound: List[Float64],
    before: List[Float32],
) -> Bool:
    for i in range(c.size):
        var k = s * c.size + i
        if not (abs(Float64(got[i]) - Float64(want[k])) <= bound[k]):
            return False
        if not c.present[s] and got[i].to_bits() != before[i].to_bits():
            return False
    return True


def main() raises:
    var right = 0
    var all = cases()
    for c in all:
        var p = c.p0.copy()
        var m = c.m0.copy()
        var v = c.v0.copy()
        var wrong = 0
        for s in range(c.steps):
            var p1 = p.copy()
            var m1 = m.copy()
            var v1 = v.copy()
            if c.present[s]:
                adamw(p, m, v, c, s)
            if not (
                is_right(c, s, m, c.m, c.m_bound, m1)
                and is_right(c, s, v, c.v, c.v_bound, v1)
                and is_right(c, s, p, c.p, c.p_bound, p1)
            ):
                print(c.id, ": parameter", c.parameter, "is wrong after step", s + 1, c.flags)
                wrong = s + 1
                break
        right += Int(wrong == 0)
    print(right, "of", len(all), "cases within their bounds")
    if right != len(all):
        raise Error("an answer is out of its bound")

// An AdamW in a few lines of Rust, compared with the vectors of torch.AdamW.
//
//     adamcore vectors --for rust --dialect torch.AdamW > adam_vectors.rs
//     rustc -O vectors_adamw.rs && ./vectors_adamw

mod adam_vectors;
use adam_vectors::{Case, CASES};

/// The implementation under test: one step; t is the clock, 1 in the first step.
fn adamw(p: &mut [f32], m: &mut [f32], v: &mut [f32], g: &[f32], t: i64, lr: f64, c: &Case) {
    let (w1, w2) = ((1.0 - c.b1) as f32, (1.0 - c.b2) as f32);
    let step = (lr / -(t as f64 * c.b1.ln()).exp_m1()) as f32;
    let root = (-(t as f64 * c.b2.ln()).exp_m1()).sqrt() as f32;
    let (b1, b2, decay) = (c.b1 as f32, c.b2 as f32, (lr * c.weight_decay) as f32);
    for i in 0..p.len() {
        m[i] = b1 * m[i] + w1 * g[i];
        v[i] = b2 * v[i] + w2 * g[i] * g[i];
        p[i] = p[i] - decay * p[i] - step * (m[i] / (v[i].sqrt() / root + c.eps as f32));
    }
}

/// Compares what a step made of an array with the exact answer; an absent gradient changes no bit.
fn is_right(c: &Case, s: usize, got: &[f32], want: &[f32], bound: &[f64], before: &[f32]) -> bool {
    (0..c.size).all(|i| {
        let k = s * c.size + i;
        let near = (got[i] as f64 - want[k] as f64).abs() <= bound[k];
        near && (c.present[s] || got[i].to_bits() == before[i].to_bits())
    })
}

fn main() {
    let mut right = 0;
    for c in CASES {
        let (mut p, mut m, mut v) = (c.p0.to_vec(), c.m0.to_vec(), c.v0.to_vec());
        let failed = (0..c.steps).find(|&s| {
            let (p1, m1, v1) = (p.clone(), m.clone(), v.clone());
            if c.present[s] {
                adamw(&mut p, &mut m, &mut v, &c.g[s * c.size..][..c.size], c.t[s], c.lr[s], c);
            }
            !(is_right(c, s, &m, c.m, c.m_bound, &m1)
                && is_right(c, s, &v, c.v, c.v_bound, &v1)
                && is_right(c, s, &p, c.p, c.p_bound, &p1))
        });
        match failed {
            None => right += 1,
            Some(s) => println!("{}: parameter {} is wrong after step {} ({})", c.id, c.parameter, s + 1, c.flags),
        }
    }
    println!("{} of {} cases within their bounds", right, CASES.len());
    std::process::exit((right != CASES.len()) as i32);
}

# An AdamW in a few lines of Julia, compared with the vectors of torch.AdamW.
#
#     adamcore vectors --for julia --dialect torch.AdamW > adam_vectors.jl
#     julia vectors_adamw.jl

include("adam_vectors.jl")

# The implementation under test: one step; t is the clock, 1 in the first step.
function adamw!(p, m, v, g, t, lr, c)
    w1, w2, decay = Float32(1 - c.b1), Float32(1 - c.b2), Float32(lr * c.weight_decay)
    step = Float32(lr / -expm1(t * log(c.b1)))
    root = Float32(sqrt(-expm1(t * log(c.b2))))
    m .= Float32(c.b1) .* m .+ w1 .* g
    v .= Float32(c.b2) .* v .+ w2 .* g .* g
    p .= p .- decay .* p .- step .* (m ./ (sqrt.(v) ./ root .+ Float32(c.eps)))
end

# Compares what a step made of an array with the exact answer; an absent gradient changes no bit.
function isright(c, s, got, want, bound, before)
    at = (s - 1) * c.size .+ (1:c.size)
    near = all(abs.(Float64.(got) .- want[at]) .<= bound[at])
    near && (c.present[s] || isequal(got, before))
end

function main()
    right = 0
    for c in CASES
        p, m, v = copy(c.p0), copy(c.m0), copy(c.v0)
        wrong = 0
        for s in 1:c.steps
            before = copy(p), copy(m), copy(v)
            g = c.g[(s - 1) * c.size .+ (1:c.size)]
            c.present[s] && adamw!(p, m, v, g, c.t[s], c.lr[s], c)
            ok = isright(c, s, m, c.m, c.m_bound, before[2]) &&
                 isright(c, s, v, c.v, c.v_bound, before[3]) &&
                 isright(c, s, p, c.p, c.p_bound, before[1])
            if !ok
                println("$(c.id): parameter $(c.parameter) is wrong after step $s ($(c.flags))")
                wrong = s
                break
            end
        end
        right += wrong == 0
    end
    println("$right of $(length(CASES)) cases within their bounds")
    exit(right == length(CASES) ? 0 : 1)
end

main()

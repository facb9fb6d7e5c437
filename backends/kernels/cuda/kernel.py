"""The program in CUDA's language: one kernel that reads and writes each array of a list once.

:func:`text` writes the program of :mod:`adamcore.tracing` with a line for each operation, as
:mod:`adamcore.backends.kernels.llvm` does for processors.  A launch passes its table by value: the
addresses and the sizes of as many arrays as fit (:mod:`adamcore.backends.kernels.cuda.table`).  So nothing
is copied to the device before a launch, and a CUDA graph that captures it holds all that it needs.

Arrays may be stored in a narrower dtype than that of the arithmetic.  They are widened when they are read,
and rounded once when they are written.  No operation is fused (:data:`OPTIONS`), so the bits are those of
the definition.
"""

from __future__ import annotations

from functools import lru_cache

from adamcore.backends.kernels.formats import SIZES, Format, Real
from adamcore.tracing import Program

THREADS = 256  #: threads of a block
PIECE = 4096  #: elements of an array that a block steps

#: The compiler's options for IEEE 754, with each operation rounded by itself; by default NVRTC fuses them.
OPTIONS = ("--fmad=false", "--prec-div=true", "--prec-sqrt=true", "--ftz=false")

C = {"float32": "float", "float64": "double", "bfloat16": "unsigned short", "float16": "unsigned short"}

#: Functions between 16-bit storage and float32.  A bfloat16 is the upper half of a float32.
NARROW = """
__device__ inline float from_bfloat16(unsigned short x) { return __uint_as_float((unsigned)x << 16); }
__device__ inline unsigned short to_bfloat16(float x) {  // to the nearest, ties to even
  const unsigned bits = __float_as_uint(x);
  return x != x ? 0x7fc0 : (unsigned short)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
#ifdef __CUDACC__
__device__ inline float from_float16(unsigned short x) {
  float y;
  asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x));
  return y;
}
__device__ inline unsigned short to_float16(float x) {
  unsigned short y;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y) : "f"(x));
  return y;
}
#endif
"""

OPERATORS = {"add": "{} + {}", "sub": "{} - {}", "mul": "{} * {}", "div": "{} / {}", "neg": "-{}"}


def row(program: Program, work: Real) -> str:
    """Return the declaration of a row of coefficients in the device's memory."""
    fields = "".join(f" {name}," for name in program.coefficients).rstrip(",")
    return f"struct Row {{ {C[work]}{fields}; }};"


def arrays(program: Program, in_place: bool) -> list[str]:
    """Return the names of a launch's arrays: the inputs and, unless in place, the arrays for the results."""
    return list(program.inputs) + ([] if in_place else [f"{name}_new" for name, _ in program.outputs])


@lru_cache(maxsize=256)
def text(program: Program, dtypes: Format, in_place: bool, words: int) -> str:
    """Return the text of the kernel ``update``, for launches whose table has so many words.

    Its argument ``skip`` is null, or points to a number on the device; nothing is written unless that is 0.
    """
    names, real = arrays(program, in_place), C[dtypes.work]
    stored = {name: dtypes.of(name.removesuffix("_new")) for name in names}
    lanes = 16 // max(SIZES[kind] for kind in stored.values())  # an access of 16 bytes, the widest there is
    # gradients may lie anywhere in the vector that a communication library packs them in
    one_by_one = f"""if (g_off) {{
#pragma unroll
        for (int k = 0; k < {lanes}; ++k) gs.x[k] = g[j + k];
      }} else """
    targets = {name: name if in_place else f"{name}_new" for name, _ in program.outputs}
    n = len(names)

    pointers = "\n".join(
        f"  {C[stored[name]]} *{name} = ({C[stored[name]]} *)table.words[{k} * n + i] + start;"
        for k, name in enumerate(names)
    )
    off = {name: f"(long long){name} % sizeof(Vector<{C[stored[name]]}>)" for name in names}
    misaligned = " || ".join(text for name, text in off.items() if name != "g")
    read = "\n".join(
        f"      Vector<{C[stored[name]]}> {name}s;\n"
        f"      {one_by_one if name == 'g' else ''}"
        f"{name}s.all = __ldcg(&((Vector<{C[stored[name]]}> *)({name} + j))->all);"
        for name in program.inputs
    )
    made = "\n".join(f"      Vector<{C[dtypes.of(name)]}> {name}_made;" for name in targets)
    each = "\n".join(
        f"        {line}"
        for line in body(program, dtypes, "{}s.x[k]", {n: f"{n}_made.x[k]" for n in targets})
    )
    written = "\n".join(
        f"      __stcg(&((Vector<{C[dtypes.of(name)]}> *)({target} + j))->all, {name}_made.all);"
        for name, target in targets.items()
    )
    one = "\n".join(
        f"    {line}" for line in body(program, dtypes, "{}[j]", {n: f"{at}[j]" for n, at in targets.items()})
    )
    narrow = NARROW if {"bfloat16", "float16"} & {*stored.values()} else ""
    return f"""
typedef {real} real;
{row(program, dtypes.work)}
struct Table {{ long long words[{words}]; }};
template <int bytes> struct Access;
template <> struct Access<16> {{ typedef uint4 type; }};
template <> struct Access<8> {{ typedef uint2 type; }};
template <> struct Access<4> {{ typedef unsigned type; }};
template <class T> union Vector {{ T x[{lanes}]; typename Access<sizeof(T) * {lanes}>::type all; }};
{narrow}
extern "C" __global__ void __launch_bounds__({THREADS})
update(const __grid_constant__ Table table, const int n, const Row *rows, const float *skip) {{
  if (skip && *skip != 0.0f) return;
  // The array whose piece this block steps: up to and with array i there are so many pieces.
  int i = 0, last = n - 1;
  while (i < last) {{
    const int middle = (i + last) / 2;
    if (table.words[{n + 1} * n + middle] > blockIdx.x)
      last = middle;
    else
      i = middle + 1;
  }}
  const long long before = i == 0 ? 0 : table.words[{n + 1} * n + i - 1];
  const long long start = (blockIdx.x - before) * {PIECE}, left = table.words[{n} * n + i] - start;
  const int stop = left < {PIECE} ? left : {PIECE};
{pointers}
  const Row c = rows[table.words[{n + 2} * n + i]];
  int j = threadIdx.x;
  if (!({misaligned})) {{
    const bool g_off = {off["g"]};
    for (j = threadIdx.x * {lanes}; j + {lanes} <= stop; j += {THREADS * lanes}) {{
{read}
{made}
#pragma unroll
      for (int k = 0; k < {lanes}; ++k) {{
{each}
      }}
{written}
    }}
    j = stop - stop % {lanes} + threadIdx.x;  // the rest
  }}
  for (; j < stop; j += {THREADS}) {{
{one}
  }}
}}
"""


def body(program: Program, dtypes: Format, read: str, write: dict[str, str]) -> list[str]:
    """Return the operations on one element.

    Args:
        program: the operations.
        dtypes: those.
        read: the format of an expression that reads an input, with its name in place of ``{}``.
        write: for each output, the expression to which it is assigned.
    """
    lines = []
    names = {name: f"c.{name}" for name in program.coefficients} | {n: f"{n}_" for n in program.inputs}
    for name in program.inputs:
        lines.append(f"const real {name}_ = {load_text(read.format(name), dtypes.of(name))};")
    for op in program.ops:
        args = [names[name] for name in op.args]
        if op.kind == "sqrt":
            value = f"{'sqrtf' if dtypes.work == 'float32' else 'sqrt'}({args[0]})"
        elif op.kind == "maximum":  # the larger, NaN where either is
            value = f"{args[0]} >= {args[1]} || {args[0]} != {args[0]} ? {args[0]} : {args[1]}"
        elif op.kind == "sign":  # of -0.0 it is 0.0, as in NumPy and PyTorch; of NaN it is NaN
            value = f"{args[0]} > 0 ? (real)1 : {args[0]} < 0 ? (real)-1 : {args[0]} + (real)0"
        else:
            value = OPERATORS[op.kind].format(*args)
        names[op.out] = op.out
        lines.append(f"const real {op.out} = {value};")
    for name, value in program.outputs:
        lines.append(f"{write[name]} = {store_text(names[value], dtypes.of(name))};")
    return lines


def load_text(x: str, kind: str) -> str:
    """Return the expression that widens a stored value to the dtype of the arithmetic."""
    return f"from_{kind}({x})" if kind.endswith("float16") else x


def store_text(x: str, kind: str) -> str:
    """Return the expression that rounds a value to the dtype of its storage."""
    return f"to_{kind}({x})" if kind.endswith("float16") else f"({C[kind]}){x}"


def fill_text(work: Real, words: int) -> str:
    """Return the text of the kernel ``fill``, which stores the host's coefficients on the device."""
    return f"""
struct Table {{ long long words[{words}]; }};
extern "C" __global__ void fill(const __grid_constant__ Table table, const int n, {C[work]} *rows) {{
  const int i = blockIdx.x * {THREADS} + threadIdx.x;
  if (i < n) rows[i] = (({C[work]} *)table.words)[i];
}}
"""

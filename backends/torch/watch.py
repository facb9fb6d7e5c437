"""Where many tensors lie, and whether they are as they were, asked by machine code.

To ask a tensor for its layout and its address takes Python 150 ns, and a step asks four tensors for each
parameter.  Machine code asks in 20 ns, by PyTorch's functions for compiled C (``aoti_torch_get_*``, whose
interface is kept stable).  It reads two places itself:

* where the Python object of a tensor has its C++ tensor; and
* where the C++ tensor has its *keys*, the set of what PyTorch's dispatcher has to know of it: device, layout,
  a pending negation or conjugation, a subclass, a transformation.

:func:`handle` and :func:`keys` look for these places in tensors whose values are known.  If one is not found,
tensors are asked one by one.
"""

from __future__ import annotations

import ctypes
import sys
from array import array
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import torch

from adamcore.backends.kernels import llvm
from adamcore.step_cache import identities
from adamcore.types import Array

TYPE = object.__basicsize__ - 8  #: the place of an object's type: the last word of Python's own part
WORDS = 24  #: of a C++ tensor, in which its keys are looked for
ASKED = ("dtype", "dim", "sizes", "strides", "data_ptr")  #: by functions of these names
FAR, NEAR = 16, 8  #: so many tensors ahead the object is fetched into the cache, and the C++ tensor


def text(handle: int, keys: int, functions: Sequence[int]) -> str:
    """Return the function ``look`` in LLVM's language.

    Its argument is the address of six words: the number of tensors that stay where they are, and that of all;
    the address of the addresses of the objects, and that of the addresses of the :func:`record` of each; the
    address of the addresses of elements that are expected of those that stay, and where the others' go.  It
    returns 1 if all are as they were, else 0.

    Args:
        handle: where an object has its C++ tensor.
        keys: where a C++ tensor has its keys.
        functions: the addresses of the functions that ask a tensor for what :data:`ASKED` lists.
    """
    ask = {name: f"i32 inttoptr (i64 {at} to ptr)" for name, at in zip(ASKED, functions, strict=True)}
    return f"""
declare void @llvm.prefetch.p0(ptr, i32, i32, i32)

define i64 @look(ptr %block) {{
entry:
  %word = alloca i64
  %half = alloca i32
  %kept = load i64, ptr %block
  %count.slot = getelementptr i64, ptr %block, i64 1
  %count = load i64, ptr %count.slot
  %objects.slot = getelementptr i64, ptr %block, i64 2
  %objects = load ptr, ptr %objects.slot
  %records.slot = getelementptr i64, ptr %block, i64 3
  %records = load ptr, ptr %records.slot
  %expected.slot = getelementptr i64, ptr %block, i64 4
  %expected = load ptr, ptr %expected.slot
  %found.slot = getelementptr i64, ptr %block, i64 5
  %found = load ptr, ptr %found.slot
  %last = sub i64 %count, 1
  br label %next
next:
  %k = phi i64 [ 0, %entry ], [ %k.next, %done ]
  %k.next = add i64 %k, 1
  %more = icmp slt i64 %k, %count
  br i1 %more, label %fetch, label %alike
fetch:
  %far.k = add i64 %k, {FAR}
  %far.late = icmp sgt i64 %far.k, %last
  %far.at = select i1 %far.late, i64 %last, i64 %far.k
  %far.slot = getelementptr ptr, ptr %objects, i64 %far.at
  %far = load ptr, ptr %far.slot
  call void @llvm.prefetch.p0(ptr %far, i32 0, i32 3, i32 1)
  %near.k = add i64 %k, {NEAR}
  %near.late = icmp sgt i64 %near.k, %last
  %near.at = select i1 %near.late, i64 %last, i64 %near.k
  %near.slot = getelementptr ptr, ptr %objects, i64 %near.at
  %near = load ptr, ptr %near.slot
  %near.type.slot = getelementptr i8, ptr %near, i64 {TYPE}
  %near.type = load i64, ptr %near.type.slot
  %near.record.slot = getelementptr ptr, ptr %records, i64 %near.at
  %near.record = load ptr, ptr %near.record.slot
  %near.wanted = load i64, ptr %near.record
  %near.fits = icmp eq i64 %near.type, %near.wanted
  br i1 %near.fits, label %fetch.tensor, label %unlike
fetch.tensor:
  %near.handle = getelementptr i8, ptr %near, i64 {handle}
  %near.tensor = load ptr, ptr %near.handle
  call void @llvm.prefetch.p0(ptr %near.tensor, i32 0, i32 3, i32 1)
  %near.middle = getelementptr i8, ptr %near.tensor, i64 64
  call void @llvm.prefetch.p0(ptr %near.middle, i32 0, i32 3, i32 1)
  %near.keys = getelementptr i8, ptr %near.tensor, i64 {keys}
  call void @llvm.prefetch.p0(ptr %near.keys, i32 0, i32 3, i32 1)
  br label %look
look:
  %slot = getelementptr ptr, ptr %objects, i64 %k
  %x = load ptr, ptr %slot
  %record.slot = getelementptr ptr, ptr %records, i64 %k
  %record = load ptr, ptr %record.slot
  %type.slot = getelementptr i8, ptr %x, i64 {TYPE}
  %type = load i64, ptr %type.slot
  %type.wanted = load i64, ptr %record
  %type.fits = icmp eq i64 %type, %type.wanted
  br i1 %type.fits, label %keys, label %unlike
keys:
  %handle = getelementptr i8, ptr %x, i64 {handle}
  %tensor = load ptr, ptr %handle
  %keys.slot = getelementptr i8, ptr %tensor, i64 {keys}
  %its.keys = load i64, ptr %keys.slot
  %keys.wanted.slot = getelementptr i64, ptr %record, i64 1
  %keys.wanted = load i64, ptr %keys.wanted.slot
  %keys.fit = icmp eq i64 %its.keys, %keys.wanted
  br i1 %keys.fit, label %ask, label %unlike
ask:
  %dtype.error = call {ask["dtype"]}(ptr %handle, ptr %half)
  %dtype.half = load i32, ptr %half
  %dtype = zext i32 %dtype.half to i64
  %dtype.wanted.slot = getelementptr i64, ptr %record, i64 2
  %dtype.wanted = load i64, ptr %dtype.wanted.slot
  %dtype.fits = icmp eq i64 %dtype, %dtype.wanted
  %dim.error = call {ask["dim"]}(ptr %handle, ptr %word)
  %dim = load i64, ptr %word
  %dim.wanted.slot = getelementptr i64, ptr %record, i64 3
  %dim.wanted = load i64, ptr %dim.wanted.slot
  %dim.fits = icmp eq i64 %dim, %dim.wanted
  %both = and i1 %dtype.fits, %dim.fits
  br i1 %both, label %layout, label %unlike
layout:
  %sizes.error = call {ask["sizes"]}(ptr %handle, ptr %word)
  %sizes = load ptr, ptr %word
  %strides.error = call {ask["strides"]}(ptr %handle, ptr %word)
  %strides = load ptr, ptr %word
  %data.error = call {ask["data_ptr"]}(ptr %handle, ptr %word)
  %data = load i64, ptr %word
  %error.1 = or i32 %dtype.error, %dim.error
  %error.2 = or i32 %sizes.error, %strides.error
  %error.3 = or i32 %error.1, %error.2
  %error = or i32 %error.3, %data.error
  %right = icmp eq i32 %error, 0
  br i1 %right, label %size, label %unlike
size:
  %d = phi i64 [ 0, %layout ], [ %d.next, %size.done ]
  %d.next = add i64 %d, 1
  %d.more = icmp slt i64 %d, %dim
  br i1 %d.more, label %size.look, label %place
size.look:
  %size.slot = getelementptr i64, ptr %sizes, i64 %d
  %its.size = load i64, ptr %size.slot
  %size.at = add i64 %d, 4
  %size.wanted.slot = getelementptr i64, ptr %record, i64 %size.at
  %size.wanted = load i64, ptr %size.wanted.slot
  %size.fits = icmp eq i64 %its.size, %size.wanted
  br i1 %size.fits, label %stride, label %unlike
stride:  ; of one element it has no meaning
  %one = icmp eq i64 %its.size, 1
  br i1 %one, label %size.done, label %stride.look
stride.look:
  %stride.slot = getelementptr i64, ptr %strides, i64 %d
  %its.stride = load i64, ptr %stride.slot
  %stride.at = add i64 %size.at, %dim
  %stride.wanted.slot = getelementptr i64, ptr %record, i64 %stride.at
  %stride.wanted = load i64, ptr %stride.wanted.slot
  %stride.fits = icmp eq i64 %its.stride, %stride.wanted
  br i1 %stride.fits, label %size.done, label %unlike
size.done:
  br label %size
place:
  %stays = icmp slt i64 %k, %kept
  br i1 %stays, label %compare, label %store
compare:
  %expected.at = getelementptr i64, ptr %expected, i64 %k
  %before = load i64, ptr %expected.at
  %same = icmp eq i64 %data, %before
  br i1 %same, label %done, label %unlike
store:
  %found.k = sub i64 %k, %kept
  %found.at = getelementptr i64, ptr %found, i64 %found.k
  store i64 %data, ptr %found.at
  br label %done
done:
  br label %next
alike:
  ret i64 1
unlike:
  ret i64 0
}}
"""


class Watch:
    """Tensors of which some stay where they are, and others are put in the place of the rest.

    Args:
        kept: those that stay, which live as long as the watch is used.
        others: some that others may take the place of.
    """

    def __init__(self, kept: Sequence[Array], others: Sequence[Array] = ()) -> None:
        run = look()
        assert run is not None  # as :func:`look` has told who makes a watch
        self.run, self.count = run, len(kept)
        self.objects = array("q", map(id, kept)) + array("q", map(id, others))
        self.records: dict[tuple[int, ...], array[int]] = {}
        places = array("q", map(self.place, chain(kept, others)))
        self.expected = array("q", map(torch.Tensor.data_ptr, kept))
        self.found = array("q", bytes(8 * len(others)))
        vectors = self.objects, places, self.expected, self.found
        self.block = array("q", [len(kept), len(self.objects), *(x.buffer_info()[0] for x in vectors)])
        self.at, self.places = self.block.buffer_info()[0], places

    def place(self, x: Array) -> int:
        """Return the address of a tensor's record; equal ones are one."""
        found = record(x)
        return self.records.setdefault(found, array("q", found)).buffer_info()[0]

    def look(self, others: Sequence[Array]) -> array[int] | None:
        """Return the addresses of the elements of other tensors; None if any tensor is not as it was."""
        if len(others) == 1:
            self.objects[self.count] = id(others[0])
        elif others:
            self.objects[self.count :] = identities(others)
        return self.found if self.run(self.at) else None


def record(x: Array) -> tuple[int, ...]:
    """Return what a tensor has in common with one that can take its place, as ``look`` reads it."""
    keys = torch._C._dispatch_keys(x).raw_repr()
    return id(type(x)), signed(keys), dtype_number(x), x.dim(), *x.shape, *x.stride()


def signed(word: int) -> int:
    """Return an unsigned word of 64 bits as a signed one."""
    return word - (word >> 63 << 64)


def dtype_number(x: Array) -> int:
    """Return the number that PyTorch has for a tensor's dtype."""
    number = ctypes.c_int32()
    library().aoti_torch_get_dtype(ctypes.c_void_p(id(x) + (handle() or 0)), ctypes.byref(number))
    return number.value


def available() -> bool:
    """True if tensors can be watched."""
    return llvm.available() and look() is not None


@cache
def look() -> Callable[[int], int] | None:
    """Return the compiled ``look``, which keeps the interpreter to itself; None if it can't be had."""
    if handle() is None or keys() is None:
        return None
    try:
        functions = [
            ctypes.cast(getattr(library(), f"aoti_torch_get_{name}"), ctypes.c_void_p).value or 0
            for name in ASKED
        ]
    except AttributeError:
        return None
    kind = ctypes.PYFUNCTYPE(ctypes.c_int64, ctypes.c_int64)
    source = text(handle() or 0, keys() or 0, functions)
    run: Callable[[int], int] = llvm.function(kind, source, "look")
    return run


@cache
def library() -> Any:
    """Return PyTorch's library of C++ code."""
    name = {"win32": "torch_cpu.dll", "darwin": "libtorch_cpu.dylib"}
    return ctypes.PyDLL(str(Path(torch.__file__).parent / "lib" / name.get(sys.platform, "libtorch_cpu.so")))


@cache
def handle() -> int | None:
    """Return where the object of a tensor has its C++ tensor; None if it is not found."""
    xs = list(probes())
    for at in range(object.__basicsize__, torch.Tensor.__basicsize__ - 7, 8):
        if all(ctypes.c_uint64.from_address(id(x) + at).value == x._cdata for x in xs):
            return at
    return None


@cache
def keys() -> int | None:
    """Return where a C++ tensor has its keys; None if that is not known for sure."""
    xs = list(probes())
    wanted = [torch._C._dispatch_keys(x).raw_repr() for x in xs]
    found = None
    for at in range(0, 8 * WORDS, 8):
        if all(
            ctypes.c_uint64.from_address(x._cdata + at).value == word
            for x, word in zip(xs, wanted, strict=True)
        ):
            if found is not None:
                return None
            found = at
    return found if len({*wanted}) > 3 else None


def probes() -> Iterator[Array]:
    """Return tensors that differ in their keys."""
    x = torch.ones(2, 3)
    yield from (
        x,
        torch.nn.Parameter(x),
        x.t(),
        torch._neg_view(x),
        torch.ones(2, dtype=torch.complex64).conj(),
    )
    yield from (torch.ones((), device="meta"), torch.ones(1, dtype=torch.bfloat16), x.to_sparse())
    with torch.inference_mode():
        yield torch.ones(1)

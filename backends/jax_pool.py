"""A step shared among the threads of XLA's own pool, in LLVM's language.

XLA calls a handler in one thread.  Whoever is free takes the next piece: the thread that was called, and
the tasks it has put into the pool.  It waits for pieces that were begun, never for a task, so that a
pool with no free thread costs nothing and nesting cannot lock; a task that comes late finds nothing to
do.  What the tasks share lies on the heap until the last of them, or the caller, is through.
"""

from __future__ import annotations

from adamcore.backends.threads import PARALLEL

PIECE = 1 << 17  #: elements taken at a time: some 100 us, the longest that anyone waits at the end

#: The interface's functions, in words of 8 bytes.
API, CONTEXT, DESTROY, SCHEDULE = 2, 3, 8, 17


def shared(threads: int) -> str:
    """``@shared(frame, size, table)``: calls @step on all elements, in threads where a second one pays."""
    return f"""
declare i32 @sched_yield()

; work: [0] the next element, [1] elements done, [2] who holds it, [3] all elements, [4] the table
define internal void @turn(ptr %work) {{
entry:
  %size.slot = getelementptr i64, ptr %work, i64 3
  %size = load i64, ptr %size.slot
  %table.slot = getelementptr i64, ptr %work, i64 4
  %table = load ptr, ptr %table.slot
  %done.slot = getelementptr i64, ptr %work, i64 1
  br label %next
next:
  %lo = atomicrmw add ptr %work, i64 {PIECE} monotonic
  %some = icmp slt i64 %lo, %size
  br i1 %some, label %take, label %return
take:
  %end = add i64 %lo, {PIECE}
  %early = icmp slt i64 %end, %size
  %hi = select i1 %early, i64 %end, i64 %size
  call void @step(i64 %lo, i64 %hi, ptr %table)
  %count = sub i64 %hi, %lo
  %before = atomicrmw add ptr %done.slot, i64 %count release
  br label %next
return:
  ret void
}}

define internal void @let_go(ptr %work) {{
  %holds.slot = getelementptr i64, ptr %work, i64 2
  %holds = atomicrmw sub ptr %holds.slot, i64 1 acq_rel
  %last = icmp eq i64 %holds, 1
  br i1 %last, label %free, label %return
free:
  call void @free(ptr %work)
  br label %return
return:
  ret void
}}

define internal void @task(ptr %work) {{
  call void @turn(ptr %work)
  call void @let_go(ptr %work)
  ret void
}}

define internal void @schedule(ptr %frame, ptr %work) {{
entry:
  %request = alloca i64, i64 5
  %api.slot = getelementptr i64, ptr %frame, i64 {API}
  %api = load ptr, ptr %api.slot
  %context.slot = getelementptr i64, ptr %frame, i64 {CONTEXT}
  %context = load ptr, ptr %context.slot
  %schedule.slot = getelementptr ptr, ptr %api, i64 {SCHEDULE}
  %schedule = load ptr, ptr %schedule.slot
  %r1 = getelementptr i64, ptr %request, i64 1
  %r2 = getelementptr i64, ptr %request, i64 2
  %r3 = getelementptr i64, ptr %request, i64 3
  %r4 = getelementptr i64, ptr %request, i64 4
  store i64 40, ptr %request
  store ptr null, ptr %r1
  store ptr %context, ptr %r2
  store ptr @task, ptr %r3
  store ptr %work, ptr %r4
  %holds.slot = getelementptr i64, ptr %work, i64 2
  %holds = atomicrmw add ptr %holds.slot, i64 1 monotonic
  %error = call ptr %schedule(ptr %request)
  %refused = icmp ne ptr %error, null
  br i1 %refused, label %alone, label %return
alone:
  store i64 24, ptr %request
  store ptr %error, ptr %r2
  %destroy.slot = getelementptr ptr, ptr %api, i64 {DESTROY}
  %destroy = load ptr, ptr %destroy.slot
  call void %destroy(ptr %request)
  call void @let_go(ptr %work)
  br label %return
return:
  ret void
}}

define void @shared(ptr %frame, i64 %size, ptr %table) {{
entry:
  %many = icmp sge i64 %size, {PARALLEL if threads > 1 else 1 << 62}
  br i1 %many, label %begin, label %alone
alone:
  call void @step(i64 0, i64 %size, ptr %table)
  ret void
begin:
  %work = call ptr @malloc(i64 40)
  %w1 = getelementptr i64, ptr %work, i64 1
  %w2 = getelementptr i64, ptr %work, i64 2
  %w3 = getelementptr i64, ptr %work, i64 3
  %w4 = getelementptr i64, ptr %work, i64 4
  store i64 0, ptr %work
  store i64 0, ptr %w1
  store i64 1, ptr %w2
  store i64 %size, ptr %w3
  store ptr %table, ptr %w4
  br label %others
others:
  %k = phi i64 [ 1, %begin ], [ %k.next, %others ]
  call void @schedule(ptr %frame, ptr %work)
  %k.next = add i64 %k, 1
  %more = icmp slt i64 %k.next, {threads}
  br i1 %more, label %others, label %mine
mine:
  call void @turn(ptr %work)
  br label %wait
wait:
  %done = load atomic i64, ptr %w1 acquire, align 8
  %all = icmp eq i64 %done, %size
  br i1 %all, label %through, label %yield
yield:
  %yielded = call i32 @sched_yield()
  br label %wait
through:
  call void @let_go(ptr %work)
  ret void
}}
"""

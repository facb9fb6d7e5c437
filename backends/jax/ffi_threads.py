"""A step shared among the threads of XLA's own pool, in LLVM's language.

XLA calls a handler in one thread.  That thread puts tasks into the pool; then it and the tasks take one
piece after the other.  It waits for pieces that a task has begun, never for a task to begin.  So a pool
without a free thread costs nothing, nested calls cannot lock, and a late task finds nothing to do.  The
words that the tasks share stay on the heap until the last task and the caller have finished.
"""

from __future__ import annotations

from adamcore.backends.kernels.threads import PARALLEL, PIECE_LOOP

PIECE = 1 << 17  #: elements of a piece: some 100 us, the longest wait at the end

#: Positions in the call frame (API, CONTEXT) and in the interface's table of functions, in words of 8 bytes.
API, CONTEXT, DESTROY, SCHEDULE = 2, 3, 8, 17


def shared_text(threads: int) -> str:
    """Return ``@shared(frame, size, table)``, which calls ``@step`` on all elements, in threads or not."""
    return f"""
declare i32 @sched_yield()

; work: what @turn reads, [5] elements done, [6] who holds it
{PIECE_LOOP}
define internal void @let_go(ptr %work) {{
  %holds.slot = getelementptr i64, ptr %work, i64 6
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
  %holds.slot = getelementptr i64, ptr %work, i64 6
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
  %work = call ptr @malloc(i64 56)
  %w1 = getelementptr i64, ptr %work, i64 1
  %w2 = getelementptr i64, ptr %work, i64 2
  %w3 = getelementptr i64, ptr %work, i64 3
  %w4 = getelementptr i64, ptr %work, i64 4
  %w5 = getelementptr i64, ptr %work, i64 5
  %w6 = getelementptr i64, ptr %work, i64 6
  store i64 0, ptr %work
  store i64 %size, ptr %w1
  store i64 {PIECE}, ptr %w2
  store ptr @step, ptr %w3
  store ptr %table, ptr %w4
  store i64 0, ptr %w5
  store i64 1, ptr %w6
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
  %done = load atomic i64, ptr %w5 acquire, align 8
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

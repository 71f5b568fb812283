"""The pool of threads that large launches are split over: native, ours alone, asleep when idle.

Any module of IR may use it; the symbol is resolved when the module is linked (`jit.py`):

    declare void @flambeau_parallel(ptr, ptr, i64, i64)

    call void @flambeau_parallel(ptr @body, ptr %context, i64 %count, i64 %grain)

It calls `void @body(ptr %context, i64 %begin, i64 %end)` for ranges that together are [0, count), some of them at the same
time, and returns when all are done. A range has at least `grain` elements (but the last): make that 20 to 50 us of work. Up
to `grain` elements, or with one thread, the body is called once, here and now. The context is usually a struct on the
caller's stack. Bodies must touch nothing of Python's; the caller may release the GIL around the call, and should where
the whole takes 50 us or more:

    %gil = call ptr @PyEval_SaveThread()
    ...
    call void @PyEval_RestoreThread(ptr %gil)

Where the ranges lie depends on the number of threads and on chance, so a sum must not be cut by them: give each
range its own output, or make fixed chunks the things that are counted (`count` = number of chunks, `grain` = 1).

One launch at a time has the pool. A launch from a body, or from another Python thread meanwhile, runs on the thread it came
from. Workers are made at the first launch that can use them; after a fork the child has none, and makes its own.
From Python: `parallel(body, context, count, grain)` with addresses, `count()` and `set_count(n)`.
"""

import ctypes
import os
import platform
import sys
from functools import cache
from typing import Any

SPINS = 1000
"""How often a thread looks (10 to 20 us in all) before it goes to sleep."""

_IR = """
@threads = internal global i64 1, align 64
@busy = internal global i64 0
@made = internal global i64 0
@tickets = internal global i64 0, align 64
@active = internal global i64 0
@sleeping = internal global i64 0
@job_body = internal global ptr null
@job_context = internal global ptr null
@job_count = internal global i64 0
@job_chunk = internal global i64 0
@next = internal global i64 0, align 64
@mutex = internal global [16 x i64] zeroinitializer, align 64
@work = internal global [16 x i64] zeroinitializer, align 64
@done = internal global [16 x i64] zeroinitializer, align 64

declare i32 @pthread_mutex_init(ptr, ptr)
declare i32 @pthread_mutex_lock(ptr)
declare i32 @pthread_mutex_unlock(ptr)
declare i32 @pthread_cond_init(ptr, ptr)
declare i32 @pthread_cond_wait(ptr, ptr)
declare i32 @pthread_cond_signal(ptr)
declare i32 @pthread_create(ptr, ptr, ptr, ptr)
declare i32 @pthread_detach(ptr)
declare i32 @pthread_sigmask(i32, ptr, ptr)
declare i32 @sigfillset(ptr)

; Sets everything to the beginning: at the start, and in the child of a fork.
define void @flambeau_pool_reset() {
  store i64 0, ptr @made
  store i64 0, ptr @tickets
  store i64 0, ptr @active
  store i64 0, ptr @sleeping
  call void @llvm.memset.p0.i64(ptr @mutex, i8 0, i64 128, i1 false)
  call void @llvm.memset.p0.i64(ptr @work, i8 0, i64 128, i1 false)
  call void @llvm.memset.p0.i64(ptr @done, i8 0, i64 128, i1 false)
  %a = call i32 @pthread_mutex_init(ptr @mutex, ptr null)
  %b = call i32 @pthread_cond_init(ptr @work, ptr null)
  %c = call i32 @pthread_cond_init(ptr @done, ptr null)
  store atomic i64 0, ptr @busy release, align 8
  ret void
}

declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)

define void @flambeau_pool_threads(i64 %count) {
  store atomic i64 %count, ptr @threads release, align 8
  ret void
}

; Takes chunk after chunk until none is left.
define internal void @take_chunks() {
entry:
  %body = load ptr, ptr @job_body
  %context = load ptr, ptr @job_context
  %count = load i64, ptr @job_count
  %chunk = load i64, ptr @job_chunk
  br label %again
again:
  %begin = atomicrmw add ptr @next, i64 %chunk seq_cst
  %some = icmp slt i64 %begin, %count
  br i1 %some, label %run, label %finished
run:
  %behind = add i64 %begin, %chunk
  %end = call i64 @llvm.smin.i64(i64 %behind, i64 %count)
  call void %body(ptr %context, i64 %begin, i64 %end)
  br label %again
finished:
  ret void
}

declare i64 @llvm.smin.i64(i64, i64)
declare i64 @llvm.smax.i64(i64, i64)

; The life of a worker: looks for a ticket, sleeps when there is none for a while.
define internal ptr @worker(ptr %unused) {
entry:
  br label %idle
idle:
  br label %look
look:
  %i = phi i64 [0, %idle], [%i1, %rest]
  %offered = load atomic i64, ptr @tickets monotonic, align 8
  %maybe = icmp sgt i64 %offered, 0
  br i1 %maybe, label %enter, label %rest
rest:
  PAUSE
  %i1 = add i64 %i, 1
  %tired = icmp eq i64 %i1, SPINS
  br i1 %tired, label %enter, label %look
enter:
  %l1 = call i32 @pthread_mutex_lock(ptr @mutex)
  br label %check
check:
  %tickets = load i64, ptr @tickets
  %wanted = icmp sgt i64 %tickets, 0
  br i1 %wanted, label %join, label %sleep
sleep:
  %s = load i64, ptr @sleeping
  %s1 = add i64 %s, 1
  store i64 %s1, ptr @sleeping
  %w = call i32 @pthread_cond_wait(ptr @work, ptr @mutex)
  %s2 = load i64, ptr @sleeping
  %s3 = sub i64 %s2, 1
  store i64 %s3, ptr @sleeping
  br label %check
join:
  %fewer = sub i64 %tickets, 1
  store atomic i64 %fewer, ptr @tickets monotonic, align 8
  %a = load i64, ptr @active
  %a1 = add i64 %a, 1
  store atomic i64 %a1, ptr @active monotonic, align 8
  %l2 = call i32 @pthread_mutex_unlock(ptr @mutex)
  call void @take_chunks()
  %l3 = call i32 @pthread_mutex_lock(ptr @mutex)
  %a2 = load i64, ptr @active
  %a3 = sub i64 %a2, 1
  store atomic i64 %a3, ptr @active release, align 8
  %last = icmp eq i64 %a3, 0
  br i1 %last, label %tell, label %left
tell:
  %l4 = call i32 @pthread_cond_signal(ptr @done)
  br label %left
left:
  %l5 = call i32 @pthread_mutex_unlock(ptr @mutex)
  br label %idle
}

; Makes workers until there are `wanted`, all signals blocked in them; returns how many of them there are.
define internal i64 @hire(i64 %wanted) {
entry:
  %all = alloca [32 x i64], align 64
  %old = alloca [32 x i64], align 64
  %thread = alloca ptr
  %there = load i64, ptr @made
  %enough = icmp sge i64 %there, %wanted
  br i1 %enough, label %finished, label %start
start:
  %f = call i32 @sigfillset(ptr %all)
  %m = call i32 @pthread_sigmask(i32 SIG_BLOCK, ptr %all, ptr %old)
  br label %again
again:
  %made = load i64, ptr @made
  %more = icmp slt i64 %made, %wanted
  br i1 %more, label %make, label %restore
make:
  %failed = call i32 @pthread_create(ptr %thread, ptr null, ptr @worker, ptr null)
  %bad = icmp ne i32 %failed, 0
  br i1 %bad, label %restore, label %made_one
made_one:
  %t = load ptr, ptr %thread
  %d = call i32 @pthread_detach(ptr %t)
  %made1 = add i64 %made, 1
  store i64 %made1, ptr @made
  br label %again
restore:
  %r = call i32 @pthread_sigmask(i32 SIG_SETMASK, ptr %old, ptr null)
  br label %finished
finished:
  %now = load i64, ptr @made
  %result = call i64 @llvm.smin.i64(i64 %now, i64 %wanted)
  ret i64 %result
}

define void @flambeau_parallel(ptr %body, ptr %context, i64 %count, i64 %grain0) {
entry:
  %grain = call i64 @llvm.smax.i64(i64 %grain0, i64 1)
  %small = icmp sle i64 %count, %grain
  br i1 %small, label %serial, label %large
large:
  %threads = load atomic i64, ptr @threads monotonic, align 8
  %alone = icmp sle i64 %threads, 1
  br i1 %alone, label %serial, label %ask
ask:
  %taken = atomicrmw xchg ptr @busy, i64 1 seq_cst
  %free = icmp eq i64 %taken, 0
  br i1 %free, label %split, label %serial
split:
  ; up to 32 chunks for each thread
  %parts = mul i64 %threads, 32
  %even = sdiv i64 %count, %parts
  %chunk = call i64 @llvm.smax.i64(i64 %even, i64 %grain)
  %last = sub i64 %count, 1
  %others = sdiv i64 %last, %chunk
  %most = sub i64 %threads, 1
  %wanted = call i64 @llvm.smin.i64(i64 %others, i64 %most)
  %helpers = call i64 @hire(i64 %wanted)
  %none = icmp eq i64 %helpers, 0
  br i1 %none, label %give_up, label %launch
give_up:
  store atomic i64 0, ptr @busy release, align 8
  br label %serial
launch:
  %l1 = call i32 @pthread_mutex_lock(ptr @mutex)
  store ptr %body, ptr @job_body
  store ptr %context, ptr @job_context
  store i64 %count, ptr @job_count
  store i64 %chunk, ptr @job_chunk
  store atomic i64 0, ptr @next seq_cst, align 8
  store atomic i64 %helpers, ptr @tickets release, align 8
  %sleeping = load i64, ptr @sleeping
  %l2 = call i32 @pthread_mutex_unlock(ptr @mutex)
  %calls = call i64 @llvm.smin.i64(i64 %sleeping, i64 %helpers)
  br label %wake
wake:
  %k = phi i64 [0, %launch], [%k1, %signal]
  %more = icmp slt i64 %k, %calls
  br i1 %more, label %signal, label %work_too
signal:
  %w = call i32 @pthread_cond_signal(ptr @work)
  %k1 = add i64 %k, 1
  br label %wake
work_too:
  call void @take_chunks()
  %l3 = call i32 @pthread_mutex_lock(ptr @mutex)
  store atomic i64 0, ptr @tickets monotonic, align 8
  %l4 = call i32 @pthread_mutex_unlock(ptr @mutex)
  br label %look
look:
  %i = phi i64 [0, %work_too], [%i1, %rest]
  %active = load atomic i64, ptr @active acquire, align 8
  %gone = icmp eq i64 %active, 0
  br i1 %gone, label %finished, label %rest
rest:
  PAUSE
  %i1 = add i64 %i, 1
  %tired = icmp eq i64 %i1, SPINS
  br i1 %tired, label %wait_start, label %look
wait_start:
  %l5 = call i32 @pthread_mutex_lock(ptr @mutex)
  br label %wait
wait:
  %still = load i64, ptr @active
  %empty = icmp eq i64 %still, 0
  br i1 %empty, label %wait_end, label %wait_more
wait_more:
  %l6 = call i32 @pthread_cond_wait(ptr @done, ptr @mutex)
  br label %wait
wait_end:
  %l7 = call i32 @pthread_mutex_unlock(ptr @mutex)
  br label %finished
finished:
  store atomic i64 0, ptr @busy release, align 8
  ret void
serial:
  call void %body(ptr %context, i64 0, i64 %count)
  ret void
}
"""

_WITHOUT = """
define void @flambeau_pool_reset() {
  ret void
}

define void @flambeau_pool_threads(i64 %count) {
  ret void
}

define void @flambeau_parallel(ptr %body, ptr %context, i64 %count, i64 %grain) {
  call void %body(ptr %context, i64 0, i64 %count)
  ret void
}
"""
"""Where there are no POSIX threads."""


def ir() -> str:
    """The pool as a module of IR, for this platform."""
    if os.name != "posix":
        return _WITHOUT
    machine = platform.machine().lower()
    if machine in ("x86_64", "amd64", "i686"):
        pause = "call void @llvm.x86.sse2.pause()"
        declared = "declare void @llvm.x86.sse2.pause()\n"
    else:
        pause = 'call void asm sideeffect "yield", ""()' if machine in ("arm64", "aarch64") else "fence acquire"
        declared = ""
    block, set_mask = ("1", "3") if sys.platform == "darwin" else ("0", "2")
    text = _IR.replace("PAUSE", pause).replace("SPINS", str(SPINS)).replace("SIG_BLOCK", block).replace("SIG_SETMASK", set_mask)
    return declared + text


# --- how many -----------------------------------------------------------------------------------------------------------


@cache
def cores() -> int:
    """How many threads there are unless somebody says otherwise: `OMP_NUM_THREADS`, or the cores of this process."""
    asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if asked.isdigit() and int(asked) > 0:
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_asked: int | None = None
_entry: dict[str, Any] | None = None


def count() -> int:
    """How many threads a launch may use, the calling one among them."""
    return _asked or cores()


def set_count(n: int) -> None:
    """Sets `count()`; acts on the next launch."""
    global _asked
    _asked = n
    if _entry is not None:
        _entry["set_threads"](n)


# --- the pool of this process -------------------------------------------------------------------------------------------


def symbols() -> dict[str, int]:
    """The address of `flambeau_parallel`; the pool is compiled at the first call."""
    return _linked()["symbols"]


def _linked() -> dict[str, Any]:
    global _entry
    if _entry is None:
        from .jit import cached_object, link, lock

        with lock:
            if _entry is None:
                names = ("flambeau_parallel", "flambeau_pool_threads", "flambeau_pool_reset")
                addresses = link(cached_object(ir()), "flambeau_threads", *names)
                reset = ctypes.CFUNCTYPE(None)(addresses[2])
                set_threads = ctypes.CFUNCTYPE(None, ctypes.c_int64)(addresses[1])
                reset()
                set_threads(count())
                if hasattr(os, "register_at_fork"):
                    os.register_at_fork(after_in_child=reset)
                launch = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(addresses[0])
                _entry = {"symbols": {names[0]: addresses[0]}, "set_threads": set_threads, "parallel": launch}
    return _entry


def parallel(body: int, context: int | None, count: int, grain: int) -> None:
    """`flambeau_parallel` from Python: `body` and `context` are addresses. The GIL is released meanwhile."""
    _linked()["parallel"](body, context, count, grain)
